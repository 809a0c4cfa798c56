/**
 * What it costs that deliveries could be traced, where nothing is: `node tracing.ts`. Windows of the call that each event makes alternate with
 * windows of a call that does nothing; the fastest of each are compared, which other work on the machine has disturbed least.
 */
import process from "node:process";
import { pino } from "pino";
import type { ChatEvent } from "../src/chat/events/registry.ts";
import { Deliveries } from "../src/fanout/deliveries.ts";

const WINDOWS = 200;
const CALLS = 1_000_000;

interface Beginning {
  begin(event: ChatEvent): number;
}

const untraced: Beginning = new Deliveries({ log: pino({ level: "silent" }) });
const nothing: Beginning = { begin: () => 0 };
const EVENT: ChatEvent = {
  type: "typing.changed",
  chatId: "c1",
  change: { chatId: "c1", user: { id: "u1", name: "Ann" }, isTyping: false },
};

/** Nanoseconds of one call. */
function measure(subject: Beginning): number {
  const startedAt = process.hrtime.bigint();
  let sum = 0;
  for (let count = 0; count < CALLS; count++) sum += subject.begin(EVENT);
  if (sum !== 0) throw new Error("something is traced");
  return Number(process.hrtime.bigint() - startedAt) / CALLS;
}

let [traced, empty] = [Infinity, Infinity];
for (let window = 0; window < WINDOWS; window++) {
  traced = Math.min(traced, measure(untraced));
  empty = Math.min(empty, measure(nothing));
}
process.stdout.write(`${traced.toFixed(2)} ns an event, ${empty.toFixed(2)} ns for a call that does nothing\n`);
