import { describe, expect, test } from "vitest";
import { Directory } from "../../src/chat/directory.ts";
import { chatTopic, type BusEvent, type EventOf, type EventType } from "../../src/chat/events.ts";
import { Session } from "../../src/chat/session.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";
import { openStream, type Stream, type StreamSpec } from "../../src/fanout/stream.ts";
import { GatewayError } from "../../src/errors.ts";

const CHAT_ID = "c1";

/** Events that wait for a reader at most. */
const BOUND = 1000;

/** A fan-out with one session, whose subscriptions to one chat a test opens and feeds. */
async function setUp() {
  const bus = createTestBus();
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  await fanout.start();
  const user = { id: "anna", name: "Anna", email: "anna@example.com", role: null };
  const session = new Session({ token: "t", tokenHash: "h", user }, directory);
  return {
    fanout,
    session,
    publish: (event: BusEvent) => bus.publish(chatTopic(CHAT_ID), event),
    open: <Type extends EventType>(type: Type, more: Partial<StreamSpec<Type>> = {}): Promise<Stream<Type>> =>
      openStream(fanout, bus.log, { type, session, chatId: CHAT_ID, takes: () => true, ...more }),
    [Symbol.asyncDispose]: () => fanout.close(),
  };
}

function message(n: number): EventOf<"message.created"> {
  const createdAt = new Date(n).toISOString();
  const sender = { id: "ben", name: "Ben" };
  const fields = { id: `m${n}`, chatId: CHAT_ID, sender, content: "", createdAt, readAt: null, clientMessageId: null };
  return { type: "message.created", chatId: CHAT_ID, message: fields };
}

function typing(id: string, isTyping: boolean): EventOf<"typing.changed"> {
  return {
    type: "typing.changed",
    chatId: CHAT_ID,
    change: { chatId: CHAT_ID, user: { id, name: id }, isTyping },
  };
}

const OF_STATES: Partial<StreamSpec<"typing.changed">> = {
  stateOf: ({ change }) => ({ key: change.user.id, value: change.isTyping }),
};

/** The next `count` events of typing, in words. */
async function changes(stream: Stream<"typing.changed">, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value } = await stream.next();
    taken.push(`${value?.change.user.id} ${value?.change.isTyping ? "starts" : "stops"}`);
  }
  return taken;
}

async function ids(stream: Stream<"message.created">, count: number): Promise<(string | undefined)[]> {
  const taken: (string | undefined)[] = [];
  while (taken.length < count) taken.push((await stream.next()).value?.message.id);
  return taken;
}

describe("a reader who does not read", () => {
  test("gets everything up to the bound, in order, from before the first reading on", async () => {
    await using scene = await setUp();
    const stream = await scene.open("message.created");
    for (let n = 0; n < BOUND; n++) await scene.publish(message(n));
    expect(await ids(stream, BOUND)).toEqual(Array.from({ length: BOUND }, (_, n) => `m${n}`));
    await scene.publish(message(BOUND));
    expect(await ids(stream, 1)).toEqual([`m${BOUND}`]);
  });

  test("ends with CURSOR_EXPIRED beyond the bound, once, while who reads gets everything", async () => {
    await using scene = await setUp();
    const slow = await scene.open("message.created");
    const control = await scene.open("message.created");
    for (let n = 0; n <= BOUND; n++) {
      await scene.publish(message(n));
      expect(await ids(control, 1)).toEqual([`m${n}`]);
    }
    // Nothing with a hole in it is told before.
    await expect(slow.next()).rejects.toMatchObject({ code: "CURSOR_EXPIRED" });
    expect(await slow.next()).toEqual({ done: true, value: undefined });
    expect(scene.fanout.statistics.subscriptions).toBe(1);
    await scene.publish(message(BOUND + 1));
    expect(await ids(control, 1)).toEqual([`m${BOUND + 1}`]);
  });

  test("of states gets the latest of each, however many there were", async () => {
    await using scene = await setUp();
    const stream = await scene.open("typing.changed", OF_STATES);
    for (let n = 0; n < BOUND; n++) {
      await scene.publish(typing("ben", n % 2 === 0));
      await scene.publish(typing("cleo", n % 2 === 0));
    }
    await scene.publish(typing("cleo", true));
    await scene.publish(typing("dan", true));
    expect(await changes(stream, 3)).toEqual(["ben stops", "cleo starts", "dan starts"]);
    await scene.publish(typing("ben", true));
    expect(await changes(stream, 1)).toEqual(["ben starts"]);
  });
});

describe("a stream of states", () => {
  test("does not repeat what the reader knows", async () => {
    await using scene = await setUp();
    const stream = await scene.open("typing.changed", OF_STATES);
    for (const isTyping of [false, true, true, true]) await scene.publish(typing("ben", isTyping));
    await scene.publish(typing("cleo", true));
    expect(await changes(stream, 2)).toEqual(["ben starts", "cleo starts"]);
    for (const isTyping of [true, false, false]) await scene.publish(typing("ben", isTyping));
    await scene.publish(typing("cleo", false));
    expect(await changes(stream, 2)).toEqual(["ben stops", "cleo stops"]);
  });

  test("starts with the present, which an event that overtakes it outdoes", async () => {
    await using scene = await setUp();
    const read = Promise.withResolvers<void>();
    const opening = scene.open("typing.changed", {
      ...OF_STATES,
      snapshot: async () => {
        const present = [typing("ben", true), typing("cleo", true)];
        await read.promise;
        return present;
      },
    });
    await expect.poll(() => scene.fanout.statistics.subscriptions, { timeout: 10_000 }).toBe(1);
    await scene.publish(typing("ben", false));
    await scene.publish(typing("dan", true));
    read.resolve();
    const stream = await opening;
    expect(await changes(stream, 2)).toEqual(["dan starts", "cleo starts"]);
    // Ben has stopped meanwhile, and the reader never heard of it.
    await scene.publish(typing("ben", true));
    expect(await changes(stream, 1)).toEqual(["ben starts"]);
  });

  test("that is refreshed says what has become true, and forgets what is true no more", async () => {
    await using scene = await setUp();
    let present = [typing("ben", true)];
    const stream = await scene.open("typing.changed", { ...OF_STATES, snapshot: async () => present });
    expect(await changes(stream, 1)).toEqual(["ben starts"]);
    present = [typing("cleo", true)];
    await stream.refresh();
    expect(await changes(stream, 1)).toEqual(["cleo starts"]);
    await scene.publish(typing("ben", true));
    expect(await changes(stream, 1)).toEqual(["ben starts"]);
  });
});

describe("a stream ends", () => {
  test("with the session, at once, for its reason", async () => {
    await using scene = await setUp();
    const stream = await scene.open("message.created");
    await scene.publish(message(1));
    scene.session.end(new GatewayError("UNAUTHENTICATED"));
    await scene.publish(message(2));
    await expect(stream.next()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    await expect(scene.open("message.created")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(scene.fanout.statistics).toMatchObject({ subscriptions: 0, rooms: 0 });
  });

  test("with its reader, at once, even one that waits", async () => {
    await using scene = await setUp();
    const stream = await scene.open("message.created");
    const waiting = stream.next();
    await stream.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(scene.fanout.statistics).toMatchObject({ subscriptions: 0, rooms: 0 });
  });

  test("with the gateway, without an error", async () => {
    await using scene = await setUp();
    const stream = await scene.open("message.created");
    const waiting = stream.next();
    await scene.fanout.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  test("before it begins where the present cannot be read, and leaves nothing behind", async () => {
    await using scene = await setUp();
    const snapshot = (): Promise<never> => Promise.reject(new GatewayError("UPSTREAM_TIMEOUT"));
    await expect(scene.open("typing.changed", { ...OF_STATES, snapshot })).rejects.toMatchObject({
      code: "UPSTREAM_TIMEOUT",
    });
    expect(scene.fanout.statistics).toMatchObject({ subscriptions: 0, rooms: 0 });
  });
});
