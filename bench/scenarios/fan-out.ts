import { sendInTurn } from "../load/pace.ts";
import type { Window } from "../load/window.ts";
import type { Stage } from "../peers.ts";
import { crowdOf, Prepared, type Column, type Scale, type Scenario } from "./scenario.ts";

const PEOPLE = 1000;
const BURST = 10;
const CASE = `${PEOPLE} in one chat`;
const WARM_UP_MS = 1500;

const COLUMNS: readonly Column[] = [
  { heading: "one message at a time, µs per delivery", case: CASE, value: "single", digits: 2, against: "ws" },
  { heading: "ten at a time, µs per delivery", case: CASE, value: "burst", digits: 2, against: "ws" },
];

export const fanOut: Scenario = {
  name: "fan-out",
  title: "Fan-out: one chat of 1,000",
  text:
    "1,000 connections listen to one chat; one more sends, the next message when everybody has the last: first single ones, " +
    "then ten in one write. Processor time of the server for each delivery. The gateway's one REST call a message is in it " +
    "(a thousandth of it for each delivery); the others make the message up.",
  persist: "local",
  cases: () => [{ name: CASE, world: { people: PEOPLE, chatSize: PEOPLE, chatsPerUser: 1 } }],
  columns: () => COLUMNS,
  charts: () => [
    { kind: "bars", title: "Fan-out to 1,000", unit: "µs of processor time per delivery", columns: COLUMNS },
  ],
  prepare,
};

async function prepare(stage: Stage, { windowMs }: Scale): Promise<Prepared> {
  const crowd = crowdOf(stage);
  await crowd.gather({ chatId: "c0-0" }, 1);
  const stretch = async (atOnce: number, durationMs: number): Promise<{ window: Window; cost: number }> => {
    const window = crowd.open({ latencies: false });
    const { cpuMs } = await stage.server.during(() => sendInTurn(crowd, window, atOnce, durationMs));
    return { window, cost: (cpuMs * 1000) / window.received };
  };
  await stretch(1, WARM_UP_MS);
  await stretch(BURST, WARM_UP_MS);
  return new Prepared(crowd, async () => {
    await stage.server.quiet();
    const single = await stretch(1, windowMs);
    const burst = await stretch(BURST, windowMs);
    return {
      values: { single: single.cost, burst: burst.cost },
      accounts: [single.window.account(), burst.window.account()],
    };
  });
}
