/** What befalls Redis while everybody talks: nothing is lost, nothing comes twice, and nobody's socket notices. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { DemoUser } from "../../src/dev/data.ts";
import { connect } from "../support/client.ts";
import {
  ChatDocument,
  MeDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { History, type Listener, type Talker } from "../support/history.ts";
import { startInstances, type Instances } from "../support/instances.ts";
import { gather, nextPresence } from "./scene.ts";

let instances: Instances;
let history: History;

beforeAll(async () => {
  instances = await startInstances();
});
beforeEach(() => {
  history = new History();
});
afterEach(async () => {
  await history[Symbol.asyncDispose]();
  await instances.answerReady(200);
});
afterAll(() => instances[Symbol.asyncDispose]());

interface Crowd {
  readonly chatId: string;
  readonly listeners: readonly Listener[];
  readonly talkers: readonly Talker[];
  /** Everybody talks until then, and so many messages each. */
  talkUntil(end: Promise<unknown>, atLeast: number): Promise<void>;
}

/** A listener on every instance, and who talks on every instance. */
async function fill(): Promise<Crowd> {
  const { ann, ben, cleo, chatId } = gather(instances);
  const users: readonly DemoUser[] = [ann, ben, cleo];
  const tokenOf = (index: number): string => users[index % 3]?.token ?? "";
  const listeners = await Promise.all(
    instances.all.map(({ wsUrl }, index) => history.listen(`listener ${index}`, wsUrl, tokenOf(index), [chatId])),
  );
  const talkers = instances.all.flatMap(({ wsUrl }, index) =>
    [1, 2].map((n) => history.talker(`talker ${index}.${n}`, wsUrl, tokenOf(index + n), chatId)),
  );
  return {
    chatId,
    listeners,
    talkers,
    async talkUntil(end, atLeast) {
      await Promise.all(talkers.map((talker) => talker.talkUntil(end, atLeast)));
    },
  };
}

/** Everybody has everything, and nothing more comes. */
async function settle(crowd: Crowd): Promise<void> {
  await history.complete();
  await crowd.talkUntil(Promise.resolve(), 1);
  await history.complete();
  expect(history.verdict()).toEqual([]);
  expect(crowd.listeners.map(({ connections }) => connections)).toEqual([1, 1, 1]);
}

test("listeners that Redis cuts off again and again miss nothing, in one order", async () => {
  const crowd = await fill();
  const { control } = instances.redis;
  const faults = (async () => {
    for (let round = 0; round < 8; round++) {
      const said = history.said.length;
      await control.client("KILL", "TYPE", "pubsub");
      while (history.said.length < said + 20) await crowd.talkers[0]?.client.run(MeDocument);
    }
  })();
  await crowd.talkUntil(faults, 20);
  await faults;
  await settle(crowd);
});

test("all connections to Redis cut again and again: the same", async () => {
  const crowd = await fill();
  const { control } = instances.redis;
  const faults = (async () => {
    for (let round = 0; round < 5; round++) {
      const said = history.said.length;
      await control.client("KILL", "SKIPME", "yes");
      while (history.said.length < said + 20) await crowd.talkers[0]?.client.run(MeDocument);
    }
    await instances.answerReady(200);
  })();
  await crowd.talkUntil(faults, 20);
  await faults;
  await settle(crowd);
});

test("Redis is killed and comes back empty, under load", async () => {
  const crowd = await fill();
  const { redis } = instances;
  const faults = (async () => {
    for (let round = 0; round < 2; round++) {
      await redis.kill();
      await instances.answerReady(503);
      await redis.restart();
      await instances.answerReady(200);
    }
  })();
  await crowd.talkUntil(faults, 20);
  await faults;
  await settle(crowd);
});

test("Redis holds still for some seconds, under load", async () => {
  const crowd = await fill();
  const { redis } = instances;
  redis.pause();
  await instances.answerReady(503);
  // Every sender is answered, more than once, while it goes on.
  await crowd.talkUntil(Promise.resolve(), 5);
  redis.resume();
  await instances.answerReady(200);
  await crowd.talkUntil(Promise.resolve(), 20);
  await settle(crowd);
});

test("while Redis is down sends and queries are answered; events follow in one order", async () => {
  const { ann, ben, cleo, chatId } = gather(instances);
  const [one, two] = instances.all;
  await using sender = connect(one.wsUrl, ann.token);
  await using here = connect(one.wsUrl, ben.token);
  await using there = connect(two.wsUrl, cleo.token);
  await using near = here.subscribe(MessageAddedDocument);
  await using far = there.subscribe(MessageAddedDocument);
  for (const client of [sender, here, there]) await client.run(MeDocument);
  await instances.redis.kill();
  await instances.answerReady(503);
  const sent = await sender.run(SendMessageDocument, { chatId, content: "while it is away" });
  const { chat } = await there.run(ChatDocument, { id: chatId });
  expect(chat.messages.nodes.map(({ content }) => content)).toEqual(["while it is away"]);
  // Somebody new is taken in, through the load balancer too, though no instance is ready.
  await using late = connect(instances.wsUrl, ben.token);
  await late.run(MeDocument);
  expect([near.waiting, far.waiting]).toEqual([[], []]);
  await instances.redis.restart();
  await instances.answerReady(200);
  const [first, second] = [(await near.next()).messageAdded, (await far.next()).messageAdded];
  expect(first.id).toBe(sent.sendMessage.id);
  expect(second).toEqual(first);
  await sender.run(SendMessageDocument, { chatId, content: "after" });
  for (const received of [near, far]) expect((await received.next()).messageAdded.content).toBe("after");
});

test("a Redis that comes back empty makes nobody flicker; changes are announced once", async () => {
  const { ann, ben, cleo } = gather(instances);
  const [one, two, three] = instances.all;
  await using watcher = connect(three.wsUrl, cleo.token);
  await using seen = watcher.subscribe(PresenceChangedDocument);
  await watcher.run(MeDocument);
  const anns = connect(one.wsUrl, ann.token);
  await anns.acknowledged;
  expect(await nextPresence(seen)).toBe("Ann online");
  await instances.redis.kill();
  await instances.answerReady(503);
  await using bens = connect(two.wsUrl, ben.token);
  await bens.run(MeDocument);
  await instances.redis.restart();
  await instances.answerReady(200);
  expect(await nextPresence(seen)).toBe("Ben online");
  await anns[Symbol.asyncDispose]();
  expect(await nextPresence(seen)).toBe("Ann offline");
  expect(seen.waiting).toEqual([]);
});

test("garbage on every channel is dropped, and harms nobody", async () => {
  const crowd = await fill();
  const { control } = instances.redis;
  const channels = (await control.pubsub("CHANNELS", "*")) as string[];
  expect(channels.length).toBeGreaterThan(3);
  const garbage = [
    "",
    "x",
    "null",
    "[]",
    "{}",
    '{"position":"1"}',
    '{"event":{"type":"message.created"}}',
    "\u0000\xff",
  ];
  const faults = Promise.all(
    channels.flatMap((channel) => garbage.map((payload) => control.publish(channel, payload))),
  );
  await crowd.talkUntil(faults, 10);
  await settle(crowd);
});
