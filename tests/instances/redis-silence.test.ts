/** Redis holds still for half a minute, under load: connections to it stay open, and nothing on them is answered. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { History, type Listener, type Talker } from "../support/history.ts";
import { startInstances, type Instances } from "../support/instances.ts";
import { gather } from "./scene.ts";

// The fault alone takes half a minute.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const SILENCE_MS = 30_000;

/** Nine talkers with this pause between two messages say some eighty a second. */
const PACE_MS = 100;

let instances: Instances;

beforeAll(async () => {
  instances = await startInstances();
});
afterAll(() => instances[Symbol.asyncDispose]());

test("Redis holds still for half a minute: sends are answered, sockets stay, all arrives in order", async () => {
  await using history = new History();
  const listeners: Listener[] = [];
  const talkers: Talker[] = [];
  // In three chats, each with about as much as its log keeps.
  for (const { wsUrl: home } of instances.all) {
    const { ann, ben, chatId } = gather(instances);
    for (const [index, { wsUrl }] of instances.all.entries()) {
      talkers.push(history.talker(`talker ${talkers.length}`, wsUrl, ann.token, chatId));
      listeners.push(await history.listen(`listener of ${home} at ${index}`, wsUrl, ben.token, [chatId]));
    }
  }
  const fault = (async () => {
    instances.redis.pause();
    const answered = history.said.length;
    await instances.answerReady(503);
    await delay(SILENCE_MS);
    await expect.poll(() => history.said.length, { timeout: 60_000 }).toBeGreaterThan(answered + 1000);
    instances.redis.resume();
    await instances.answerReady(200);
  })();
  await Promise.all(talkers.map((talker) => talkUntil(talker, fault)));
  await fault;
  await Promise.all(talkers.map((talker) => talker.say()));
  await history.complete();
  expect(history.verdict()).toEqual([]);
  expect(listeners.map(({ connections }) => connections)).toEqual(listeners.map(() => 1));
});

async function talkUntil(talker: Talker, end: Promise<unknown>): Promise<void> {
  const talk = { isOver: false };
  const over = (): void => void (talk.isOver = true);
  end.then(over, over);
  while (!talk.isOver) {
    await talker.say();
    await delay(PACE_MS);
  }
}
