/** What instances write to Redis for one another. A later version has to read it; an earlier one may meet what it does not know. */
import { expect, test } from "vitest";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { compactionOf, decodeEvent, idOf, kindOf } from "../../src/chat/events/registry.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import { positionAt } from "../../src/bus/position.ts";
import { parseMessage } from "../../src/bus/redis/events/message.ts";
import { openRedisBus } from "../instances/buses.ts";
import { startRedis } from "../support/redis.ts";

const TOPIC = chatTopic("c1");
const ANN = { id: "u1", name: "Ann" };
const AT = "2026-01-01T00:00:00.000Z";

/** Positions and the process of Redis differ from run to run. */
const POSITION = positionAt(1_700_000_000_000, 0);

/** What version 0.1 writes: on the channel, and as the fields of the log's entry. Do not change it: add what a new version writes. */
const WRITTEN: readonly { readonly event: BusEvent; readonly json: string; readonly log: readonly string[] }[] = [
  {
    event: {
      type: "message.created",
      chatId: "c1",
      message: {
        id: "m1",
        chatId: "c1",
        sender: ANN,
        content: "hello",
        createdAt: AT,
        readAt: null,
        clientMessageId: null,
      },
    },
    json: '{"type":"message.created","chatId":"c1","message":{"id":"m1","chatId":"c1","sender":{"id":"u1","name":"Ann"},"content":"hello","createdAt":"2026-01-01T00:00:00.000Z","readAt":null,"clientMessageId":null}}',
    log: ["event", "$JSON"],
  },
  {
    event: {
      type: "message.read",
      id: "r1",
      chatId: "c1",
      receipt: { chatId: "c1", messageId: "m1", reader: ANN, readAt: AT },
    },
    json: '{"type":"message.read","id":"r1","chatId":"c1","receipt":{"chatId":"c1","messageId":"m1","reader":{"id":"u1","name":"Ann"},"readAt":"2026-01-01T00:00:00.000Z"}}',
    log: ["event", "$JSON", "original", "", "key", "$KEY"],
  },
  {
    event: {
      type: "typing.changed",
      chatId: "c1",
      change: { chatId: "c1", user: ANN, isTyping: true },
      expiresInMs: 3000,
    },
    json: '{"type":"typing.changed","chatId":"c1","change":{"chatId":"c1","user":{"id":"u1","name":"Ann"},"isTyping":true},"expiresInMs":3000}',
    log: [],
  },
];

test("events are written to Redis byte for byte as version 0.1 does", async () => {
  await using redis = await startRedis();
  await using bus = await openRedisBus(redis.url);
  using subscriber = Object.assign(redis.control.duplicate(), {
    [Symbol.dispose]() {
      subscriber.disconnect();
    },
  });
  const published: string[] = [];
  subscriber.on("pmessage", (_pattern, channel: string, message: string) => {
    if (channel.includes(TOPIC)) published.push(message);
  });
  await subscriber.psubscribe("*");
  for (const { event } of WRITTEN) await bus.publish(TOPIC, event);
  await expect.poll(() => published.length).toBe(WRITTEN.length);
  const stable = published.map((text) =>
    text.replaceAll(/"(position|previous)":"[^"]+"/g, '"$1":"P"').replace(/"epoch":"\w+"/, '"epoch":"E"'),
  );
  const [first, second, third] = WRITTEN.map(({ json }) => json);
  expect(stable).toEqual([
    `{"position":"P","previous":"","epoch":"E","event":${first}}`,
    `{"position":"P","previous":"P","epoch":"E","event":${second}}`,
    `{"event":${third}}`,
  ]);
  const entriesOf = async (part: string): Promise<unknown[]> =>
    (await redis.control.xrange(`chat:${part}:{${TOPIC}}`, "-", "+")).map(([, fields]) => fields);
  const expected = WRITTEN.map(({ log, json, event }) =>
    log.map((field) => field.replace("$JSON", () => json).replace("$KEY", () => compactionOf(event)?.key ?? "")),
  );
  expect(await entriesOf("log")).toEqual([expected[0]]);
  expect(await entriesOf("compacted")).toEqual([expected[1]]);
});

test.each(WRITTEN)("what version 0.1 has written is read: $event.type", ({ event, json }) => {
  const payload: unknown = JSON.parse(`{"position":"${POSITION}","previous":"","epoch":"e1","event":${json}}`);
  expect(parseMessage(payload, { decode: decodeEvent, kindOf })).toMatchObject({ type: kindOf(event), event });
  // A later version may add to it.
  const added: unknown = JSON.parse(json.replace(/^\{/, '{"new":{"in":"0.2"},"traceparent":"00-a-b-01",'));
  expect(decodeEvent(added)).toMatchObject({ ...event, traceparent: "00-a-b-01" });
});

test("an event of a later version that this one does not know is counted, and the others arrive in order", async () => {
  await using redis = await startRedis();
  await using bus = await openRedisBus(redis.url);
  interface Later {
    readonly type: string;
    readonly id: string;
  }
  // An instance of a later version, with a kind of events of its own.
  const later = await createRedisBus<Later>({
    kindOf: () => "durable",
    idOf: ({ id }) => id,
    decode: (value) => value as Later,
    logAgeMs: 60_000,
    url: redis.url,
    prefix: "chat:",
    presenceTtlMs: 30_000,
    presenceGraceMs: 100,
    onListenerError: () => undefined,
  });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => later.close());
  const received: string[] = [];
  await bus.subscribe(TOPIC, {
    receive: (event) => void received.push(idOf(event)),
    recover: async () => [],
  });
  const from = bus.log.position([TOPIC]).base;
  const message = (id: string): BusEvent => {
    const [{ event }] = WRITTEN as readonly [(typeof WRITTEN)[number]];
    if (event.type !== "message.created") throw new Error("the first event is a message");
    return { ...event, message: { ...event.message, id } };
  };
  await bus.publish(TOPIC, message("m1"));
  await later.publish(TOPIC, { type: "message.pinned", id: "pin 1" });
  await bus.publish(TOPIC, message("m2"));
  await expect.poll(() => received).toEqual(["message m1", "message m2"]);
  expect(bus.statistics.undecodable).toBeGreaterThan(0);
  // Who reads the log gets the same.
  await using other = await openRedisBus(redis.url);
  const entries = await other.log.read(TOPIC, from);
  expect(entries?.map(({ event }) => idOf(event))).toEqual(["message m1", "message m2"]);
});
