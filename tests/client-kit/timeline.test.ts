/** In which order messages and receipts may come, and what is shown as read then. */
import { expect, test } from "vitest";
import { brief, Timeline } from "../../client/src/timeline.ts";
import type { ShownMessage, User } from "../../client/src/types.ts";
import type { WireMessage, WireReceipt } from "../../client/src/wire.ts";

const ALICE: User = { id: "a", name: "Alice" };
const BOB: User = { id: "b", name: "Bob" };
const CAROL: User = { id: "c", name: "Carol" };

/** Message `n` was sent at second `n`. */
function message(n: number, sender = ALICE): WireMessage {
  return { id: `m${n}`, text: `text ${n}`, at: at(n), sender, cursor: `c${n}`, readBy: [] };
}

function at(second: number): string {
  return new Date(second * 1000).toISOString();
}

function receipt(second: number, reader: User, messageId?: string): WireReceipt {
  return { readAt: at(second), reader, ...(messageId && { messageId }) };
}

function show(one: WireMessage): ShownMessage {
  return { ...brief(one, ALICE.id), key: one.id, state: "sent", readBy: [] };
}

function append(timeline: Timeline, ...messages: readonly WireMessage[]): void {
  for (const one of messages) timeline.insert([one], show, Infinity);
}

function readers(timeline: Timeline): string[] {
  return [...timeline.messages].map(([id, { readBy }]) => [id, ...readBy.map((reader) => reader.id)].join(" "));
}

test("a receipt covers what is there, whatever the clocks say, and its sender never reads", () => {
  const timeline = new Timeline();
  append(timeline, message(1), message(2, BOB), message(9));
  timeline.read(receipt(3, BOB), true);
  timeline.read(receipt(3, CAROL, "m2"), true);
  expect(readers(timeline)).toEqual(["m1 b", "m2 c", "m9 b"]);
});

test("a late receipt covers the messages of its time alone", () => {
  const timeline = new Timeline();
  append(timeline, message(1), message(2), message(3));
  timeline.read(receipt(2, BOB), false);
  expect(readers(timeline)).toEqual(["m1 b", "m2 b", "m3"]);
});

test("a receipt that comes before its message is not lost", () => {
  const timeline = new Timeline();
  timeline.read(receipt(2, BOB), true);
  timeline.read(receipt(3, CAROL, "m2"), true);
  append(timeline, message(1), message(2), message(3));
  expect(readers(timeline)).toEqual(["m1 b", "m2 b c", "m3"]);
});

test("a shown message is the same object until somebody reads it", () => {
  const timeline = new Timeline();
  append(timeline, message(1), message(2));
  const [before, other] = timeline.messages.values();
  timeline.read(receipt(3, BOB, "m1"), true);
  const [after, same] = timeline.messages.values();
  expect(after).not.toBe(before);
  expect(same).toBe(other);
});

test("a piece of the history takes its place, each message once", () => {
  const timeline = new Timeline();
  const insert = (index?: number, ...numbers: readonly number[]): string[] => {
    timeline.insert(
      numbers.map((n) => message(n)),
      show,
      index,
    );
    return [...timeline.ids];
  };
  expect(insert(Infinity, 4)).toEqual(["m4"]);
  expect(insert(undefined, 1, 2)).toEqual(["m1", "m2", "m4"]);
  expect(insert(undefined, 2, 3, 4, 5)).toEqual(["m1", "m2", "m3", "m4", "m5"]);
  expect(insert(0, 0, 1)).toEqual(["m0", "m1", "m2", "m3", "m4", "m5"]);
  expect(insert(-1, 8, 9)).toEqual(["m8", "m9"]);
});
