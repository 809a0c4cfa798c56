/** A subscription as it is iterated: over HTTP, and where an operation depends on its viewer. */
import { describe, expect, test } from "vitest";
import { Counts } from "../../src/measures.ts";
import { LOG_MAX_EVENTS } from "../../src/bus/bus.ts";
import { Directory } from "../../src/chat/directory.ts";
import type { BusEvent, EventOf } from "../../src/chat/events/registry.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import { Unauthenticated } from "../../src/chat/unauthenticated.ts";
import { Session } from "../../src/chat/session.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";
import { DurableStream } from "../../src/fanout/durable-stream.ts";
import { StateStream } from "../../src/fanout/state-stream.ts";
import { GatewayError } from "../../src/errors.ts";
import { FairTurns } from "../../src/fair-turns.ts";

const CHAT_ID = "c1";

type TypingStream = StateStream<"typing.changed">;
interface TypingSpec {
  readonly snapshot: () => Promise<readonly EventOf<"typing.changed">[]>;
}

/** A fan-out with one session, whose subscriptions to one chat a test opens and feeds. */
async function setUp() {
  const bus = createTestBus();
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  await fanout.start();
  const user = { id: "anna", name: "Anna", email: "anna@example.com", role: null };
  const session = new Session({ token: "t", tokenHash: "h", user }, directory);
  directory.learn({ id: CHAT_ID, participants: [user] }, directory.now());
  return {
    fanout,
    session,
    publish: (event: BusEvent) => bus.publish(chatTopic(CHAT_ID), event),
    openMessages: async (): Promise<DurableStream<"message.created">> => {
      const history = { select: () => Promise.reject(new GatewayError("CURSOR_EXPIRED")) };
      const stream = new DurableStream<"message.created">({
        subscribers: fanout,
        spec: { type: "message.created", session, chatId: CHAT_ID },
        sources: {
          log: bus.log,
          history,
          turns: new FairTurns(),
          limit: 1000,
          replayed: new Counts(),
          starts: new Counts(),
        },
        start: async () => ({ start: "new" }),
      });
      await stream.open();
      return stream;
    },
    openTyping: async ({ snapshot }: TypingSpec = { snapshot: async () => [] }): Promise<TypingStream> => {
      const stream: TypingStream = new StateStream(
        fanout,
        {
          type: "typing.changed",
          takes: () => true,
          stateOf: ({ change }) => ({ key: change.user.id, value: change.isTyping }),
          snapshot: async () => ({ events: await snapshot(), isComplete: true }),
        },
        { session, chatId: CHAT_ID },
      );
      await stream.open();
      return stream;
    },
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

/** The next `count` events of typing, in words. */
async function changes(stream: TypingStream, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value } = await stream.next();
    taken.push(`${value?.change.user.id} ${value?.change.isTyping ? "starts" : "stops"}`);
  }
  return taken;
}

async function ids(stream: DurableStream<"message.created">, count: number): Promise<(string | undefined)[]> {
  const taken: (string | undefined)[] = [];
  while (taken.length < count) taken.push((await stream.next()).value?.message.id);
  return taken;
}

describe("a reader who does not read", () => {
  test("gets everything that the log has, in order", async () => {
    await using scene = await setUp();
    const stream = await scene.openMessages();
    for (let n = 0; n < LOG_MAX_EVENTS; n++) await scene.publish(message(n));
    expect(await ids(stream, LOG_MAX_EVENTS)).toEqual(Array.from({ length: LOG_MAX_EVENTS }, (_, n) => `m${n}`));
    await scene.publish(message(LOG_MAX_EVENTS));
    expect(await ids(stream, 1)).toEqual([`m${LOG_MAX_EVENTS}`]);
  });

  test("is caught up from the log after it has begun to read", async () => {
    await using scene = await setUp();
    const stream = await scene.openMessages();
    const first = stream.next();
    // The first one is in its hands, a hundred more wait, and the rest is left to the log.
    for (let n = 0; n < 500; n++) await scene.publish(message(n));
    await first;
    expect(await ids(stream, 499)).toEqual(Array.from({ length: 499 }, (_, n) => `m${n + 1}`));
  });

  test("ends with CURSOR_EXPIRED where neither log nor history has what it missed", async () => {
    await using scene = await setUp();
    const slow = await scene.openMessages();
    const control = await scene.openMessages();
    for (let n = 0; n <= LOG_MAX_EVENTS; n++) {
      await scene.publish(message(n));
      expect(await ids(control, 1)).toEqual([`m${n}`]);
    }
    // Nothing is delivered that does not begin where the reader is.
    await expect(slow.next()).rejects.toMatchObject({ code: "CURSOR_EXPIRED" });
    expect(await slow.next()).toEqual({ done: true, value: undefined });
    expect(scene.fanout.statistics.subscriptions).toBe(1);
    await scene.publish(message(LOG_MAX_EVENTS + 1));
    expect(await ids(control, 1)).toEqual([`m${LOG_MAX_EVENTS + 1}`]);
  });

  test("of states gets the latest of each, however many there were", async () => {
    await using scene = await setUp();
    const stream = await scene.openTyping();
    for (let n = 0; n < 1000; n++) {
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
    const stream = await scene.openTyping();
    for (const isTyping of [false, true, true, true]) await scene.publish(typing("ben", isTyping));
    await scene.publish(typing("cleo", true));
    expect(await changes(stream, 2)).toEqual(["ben starts", "cleo starts"]);
    for (const isTyping of [true, false, false]) await scene.publish(typing("ben", isTyping));
    await scene.publish(typing("cleo", false));
    expect(await changes(stream, 2)).toEqual(["ben stops", "cleo stops"]);
  });

  test("starts with the present, unless an event says something newer", async () => {
    await using scene = await setUp();
    const asked = Promise.withResolvers<void>();
    const read = Promise.withResolvers<void>();
    const opening = scene.openTyping({
      snapshot: async () => {
        const present = [typing("ben", true), typing("cleo", true)];
        asked.resolve();
        await read.promise;
        return present;
      },
    });
    await asked.promise;
    await scene.publish(typing("ben", false));
    await scene.publish(typing("dan", true));
    read.resolve();
    const stream = await opening;
    expect(await changes(stream, 2)).toEqual(["dan starts", "cleo starts"]);
    // Ben had stopped before the reader was told that he had started.
    await scene.publish(typing("ben", true));
    expect(await changes(stream, 1)).toEqual(["ben starts"]);
  });

  test("that is refreshed tells what has become true, and later what is so again", async () => {
    await using scene = await setUp();
    let present = [typing("ben", true)];
    const stream = await scene.openTyping({ snapshot: async () => present });
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
    const stream = await scene.openMessages();
    await scene.publish(message(1));
    scene.session.end(new Unauthenticated("Signed out"));
    await scene.publish(message(2));
    await expect(stream.next()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    await expect(scene.openMessages()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(scene.fanout.statistics).toMatchObject({ subscriptions: 0, rooms: 0 });
  });

  test("with its reader, at once, even one that waits", async () => {
    await using scene = await setUp();
    const stream = await scene.openMessages();
    const waiting = stream.next();
    await stream.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(scene.fanout.statistics).toMatchObject({ subscriptions: 0, rooms: 0 });
  });

  test("with the gateway, without an error", async () => {
    await using scene = await setUp();
    const stream = await scene.openMessages();
    const waiting = stream.next();
    await scene.fanout.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  test("before it begins where the present cannot be read, and leaves nothing behind", async () => {
    await using scene = await setUp();
    const snapshot = (): Promise<never> => Promise.reject(new GatewayError("UPSTREAM_TIMEOUT"));
    await expect(scene.openTyping({ snapshot })).rejects.toMatchObject({
      code: "UPSTREAM_TIMEOUT",
    });
    expect(scene.fanout.statistics).toMatchObject({ subscriptions: 0, rooms: 0 });
  });
});
