/** A stream of messages or receipts: its reader misses nothing, gets nothing twice, and is told when it is behind. */
import { randomUUID } from "node:crypto";
import * as fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Counts } from "../../src/measures.ts";
import { BusUnavailable, type Bus, type EventLog, type PublishResult } from "../../src/bus/bus.ts";
import { positionAt, type Position } from "../../src/bus/position.ts";
import { Directory } from "../../src/chat/directory.ts";
import type { BusEvent, DeliveredEvent, DurableChatEvent, EventOf } from "../../src/chat/events/registry.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import type { Chat, Message } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import { GatewayError } from "../../src/errors.ts";
import { FairTurns } from "../../src/fair-turns.ts";
import { DurableStream, type StreamStart } from "../../src/fanout/durable-stream.ts";
import type { Sink, StreamState } from "../../src/fanout/sink.ts";
import type { PastSources, StartOutcome } from "../../src/recovery/past.ts";
import { createLostBus, createTestBus, createTestFanout } from "../support/bus.ts";
import { positionOfCursor } from "../support/cursors.ts";

const at = "2026-01-31T09:30:00.000Z";
const sender = { id: "sender", name: "Sam" };

function message(chatId: string, content: string): EventOf<"message.created"> {
  const fields = { id: `${chatId} ${content}`, chatId, sender, content, createdAt: at, readAt: null };
  return { type: "message.created", chatId, message: { ...fields, clientMessageId: null } };
}

function receipt(chatId: string, messageId: string, reader = sender): EventOf<"message.read"> {
  return { type: "message.read", id: randomUUID(), chatId, receipt: { chatId, messageId, reader, readAt: at } };
}

function textOf(event: DeliveredEvent): string {
  if (event.type === "message.created") return `${event.chatId} ${event.message.content}`;
  return event.type === "message.read" ? `${event.chatId} read ${event.receipt.messageId}` : event.type;
}

/** A sink that has room for so many events, and writes down what it is given. */
class Reader implements Sink {
  /** Events and states, in order. */
  readonly all: string[] = [];
  readonly ends: (Error | undefined)[] = [];
  room: number;
  #hasLagged = false;

  constructor(room = Infinity) {
    this.room = room;
  }

  get events(): readonly string[] {
    return this.all.filter((text) => !text.startsWith("("));
  }

  get isLagging(): boolean {
    this.#hasLagged ||= this.room === 0;
    return this.room === 0;
  }

  write(event: DeliveredEvent): void {
    this.all.push(textOf(event));
    this.room--;
  }

  state(state: StreamState): void {
    this.all.push(state.state === "live" ? `(live, ${state.start})` : "(catching up)");
  }

  end(error: Error | undefined): void {
    this.ends.push(error);
  }

  /** As an outbox does it: tells the stream that there is room where it has said before that there was none. */
  give(room: number, stream: { resume(): void }): void {
    this.room += room;
    if (!this.#hasLagged || this.room === 0) return;
    this.#hasLagged = false;
    stream.resume();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Everything that needs no timer is done then. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
}

/** A log that says how it was when it was asked, and answers when everything else is done. */
function slowLog(inner: EventLog<BusEvent>): EventLog<BusEvent> {
  return {
    position: (topics) => inner.position(topics),
    positionsOf: (topic, ids) => inner.positionsOf(topic, ids),
    delayAfter: (topic, after) => inner.delayAfter(topic, after),
    tail: (topic) => inner.tail(topic),
    async read(topic: string, after: Position) {
      const entries = await inner.read(topic, after);
      await nextTurn();
      return entries;
    },
  };
}

/** A log that cannot be read until it is mended. */
function brokenLog(inner: EventLog<BusEvent>): EventLog<BusEvent> & { readonly reads: string[]; mend(): void } {
  const reads: string[] = [];
  let isBroken = true;
  return {
    reads,
    mend: () => void (isBroken = false),
    position: (topics) => inner.position(topics),
    positionsOf: (topic, ids) => inner.positionsOf(topic, ids),
    delayAfter: (topic, after) => inner.delayAfter(topic, after),
    tail: (topic) => inner.tail(topic),
    async read(topic: string, after: Position) {
      reads.push(topic);
      if (isBroken) throw new BusUnavailable();
      return inner.read(topic, after);
    },
  };
}

const NO_HISTORY: PastSources["history"] = { select: () => Promise.reject(new Error("the history was asked")) };

interface Open {
  readonly chatId?: string;
  readonly start?: StreamStart;
}

function createScene(sources: Partial<PastSources> = {}, bus: Bus<BusEvent> = createTestBus()) {
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  const me = { id: "me", name: "Mary", email: "mary@example.com", role: null };
  const session = new Session({ token: "t", tokenHash: "h", user: me }, directory);
  const chat = (id: string): Chat => ({
    id,
    title: null,
    participants: [me, sender],
    lastMessage: null,
    unreadCount: 0,
    createdAt: at,
    updatedAt: at,
  });
  directory.replace("me", ["a", "b"].map(chat), directory.now());
  const openAs = async <Type extends DurableChatEvent["type"]>(
    type: Type,
    { chatId, start = { start: "new" } }: Open = {},
  ): Promise<DurableStream<Type>> => {
    const stream = new DurableStream<Type>({
      subscribers: fanout,
      spec: { type, session, chatId },
      sources: {
        log: bus.log,
        history: NO_HISTORY,
        turns: new FairTurns(),
        limit: 1000,
        replayed: new Counts(),
        starts: new Counts(),
        ...sources,
      },
      start: async () => start,
    });
    await stream.open();
    return stream;
  };
  return {
    bus,
    directory,
    fanout,
    session,
    openAs,
    open: (options?: Open) => openAs("message.created", options),
    publish: (event: DurableChatEvent): Promise<PublishResult> => bus.publish(chatTopic(event.chatId), event),
    say: async (chatId: string, ...contents: readonly string[]): Promise<void> => {
      for (const content of contents) await bus.publish(chatTopic(chatId), message(chatId, content));
    },
    /** As the present position of a client. */
    position: () => ({ base: bus.log.position([]).base, topics: {} }),
  };
}

async function read(stream: DurableStream<"message.created">, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value } = await stream.next();
    if (value) taken.push(textOf(value));
    else throw new Error(`the stream has ended after ${taken.join()}`);
  }
  return taken;
}

describe("every message is delivered once and in order", () => {
  const chat = fc.constantFrom("a", "b");
  const LOGS: readonly (readonly [string, (inner: EventLog<BusEvent>) => EventLog<BusEvent>])[] = [
    ["answers at once", (inner) => inner],
    ["answers late", slowLog],
  ];

  test.each(LOGS)("whatever a sink takes when, from a log that %s", async (_when, wrapLog) => {
    const step = fc.oneof(
      { weight: 4, arbitrary: chat.map((of) => ({ do: "send", chat: of }) as const) },
      { weight: 1, arbitrary: chat.map((of) => ({ do: "receipt", chat: of }) as const) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 5 }).map((count) => ({ do: "give", count }) as const) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }).map((count) => ({ do: "wait", count }) as const) },
    );
    const bus = createTestBus();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), fc.nat(5), async (steps, early) => {
        const { publish, open, fanout } = createScene({ log: wrapLog(bus.log) }, bus);
        const stream = await open();
        const reader = new Reader(0);
        const run = randomUUID();
        const sent: string[] = [];
        for (const [index, action] of steps.entries()) {
          // The first events come before there is a sink.
          if (index === early) stream.pipe(reader);
          if (action.do === "send") {
            const event = message(action.chat, `${run} ${sent.length}`);
            sent.push(textOf(event));
            await publish(event);
          } else if (action.do === "receipt") await publish(receipt(action.chat, String(index)));
          else if (action.do === "give") reader.give(action.count, stream);
          else for (let turn = 0; turn < action.count; turn++) await nextTurn();
        }
        if (steps.length <= early) stream.pipe(reader);
        // Another connection continues from where the client is.
        const [position, received] = [stream.position(), reader.events.length];
        expect(position).toBeDefined();
        const again = await open(position && { start: { start: "resumed", position } });
        const rest = new Reader();
        again.pipe(rest);
        reader.give(Number.MAX_SAFE_INTEGER / 2, stream);
        await settled();
        expect(reader.events).toEqual(sent);
        expect(rest.events).toEqual(sent.slice(received));
        expect([reader.ends, rest.ends]).toEqual([[], []]);
        expect(reader.all.at(-1)).not.toBe("(catching up)");
        await fanout.close();
      }),
      { numRuns: 100, seed: 20_260_131 },
    );
  });

  test.each(LOGS)("however slowly an iterating reader reads, from a log that %s", async (_when, wrapLog) => {
    const step = fc.oneof(
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant("send" as const), chat, count: fc.integer({ min: 1, max: 80 }) }),
      },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 60 }).map((count) => ({ do: "read", count }) as const) },
    );
    const bus = createTestBus();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        const { publish, open, fanout } = createScene({ log: wrapLog(bus.log) }, bus);
        const stream = await open();
        const run = randomUUID();
        const sent: string[] = [];
        const received: string[] = [];
        for (const action of steps) {
          if (action.do === "send") {
            for (let n = 0; n < action.count; n++) {
              const event = message(action.chat, `${run} ${sent.length}`);
              sent.push(textOf(event));
              await publish(event);
            }
          } else received.push(...(await read(stream, Math.min(action.count, sent.length - received.length))));
        }
        received.push(...(await read(stream, sent.length - received.length)));
        expect(received).toEqual(sent);
        await fanout.close();
      }),
      { numRuns: 50, seed: 20_260_131 },
    );
  });

  test("while the log is read", async () => {
    const bus = createTestBus();
    const scene = createScene({ log: slowLog(bus.log) }, bus);
    const stream = await scene.open();
    const reader = new Reader(0);
    stream.pipe(reader);
    await scene.say("a", "1");
    reader.give(100, stream);
    await scene.say("a", "2");
    await settled();
    await scene.say("a", "3");
    expect(reader.events).toEqual(["a 1", "a 2", "a 3"]);
  });

  test("before there is a sink", async () => {
    const scene = createScene();
    const stream = await scene.open();
    const reader = new Reader();
    await scene.say("a", "1");
    stream.pipe(reader);
    await scene.say("a", "2");
    await settled();
    expect(reader.events).toEqual(["a 1", "a 2"]);
  });

  test("as far back as the log reaches, to a sink that takes a few at a time", async () => {
    const scene = createScene();
    const stream = await scene.open();
    const reader = new Reader(0);
    stream.pipe(reader);
    const contents = Array.from({ length: 1000 }, (_, index) => String(index + 1));
    await scene.say("a", ...contents);
    while (reader.events.length < 1000) {
      reader.give(7, stream);
      await nextTurn();
    }
    expect(reader.events).toEqual(contents.map((content) => `a ${content}`));
    expect(reader.ends).toEqual([]);
  });
});

describe("a sink is told", () => {
  test("that a new stream is live", async () => {
    const scene = createScene();
    const stream = await scene.open();
    const reader = new Reader();
    stream.pipe(reader);
    await scene.say("a", "1");
    expect(reader.all).toEqual(["(live, new)", "a 1"]);
  });

  test("that a resumed stream is live after what its client missed", async () => {
    const scene = createScene();
    const position = scene.position();
    await scene.say("a", "1");
    await scene.say("b", "2");
    const stream = await scene.open({ start: { start: "resumed", position } });
    const reader = new Reader();
    stream.pipe(reader);
    await settled();
    await scene.say("a", "3");
    expect(reader.all).toEqual(["a 1", "b 2", "(live, resumed)", "a 3"]);
  });

  test("that a stream after a cursor is live after what is newer", async () => {
    const scene = createScene();
    const { position } = await scene.publish(message("a", "1"));
    await scene.say("a", "2");
    const cursor = positionOfCursor({ id: "a 1", chatId: "a", createdAt: at, position });
    const stream = await scene.open({ start: { start: "after", cursor, position, since: undefined } });
    const reader = new Reader();
    stream.pipe(reader);
    await settled();
    expect(reader.all).toEqual(["a 2", "(live, after)"]);
  });

  test("that it is behind where it was full, until it has caught up", async () => {
    const scene = createScene();
    const stream = await scene.open();
    const reader = new Reader(1);
    stream.pipe(reader);
    await scene.say("a", "1", "2", "3");
    reader.give(1, stream);
    await settled();
    reader.give(10, stream);
    await settled();
    expect(reader.all).toEqual(["(live, new)", "a 1", "(catching up)", "a 2", "a 3", "(live, new)"]);
  });

  test("that delivery pauses while the bus is disconnected", async () => {
    const scene = createScene();
    const stream = await scene.open();
    const reader = new Reader();
    stream.pipe(reader);
    stream.busLost();
    stream.busLost();
    stream.busRestored();
    stream.busRestored();
    expect(reader.all).toEqual(["(live, new)", "(catching up)", "(live, new)"]);
  });

  test("once where it is behind and the bus is disconnected too", async () => {
    const scene = createScene();
    const stream = await scene.open();
    const reader = new Reader(0);
    stream.pipe(reader);
    await scene.say("a", "1");
    stream.busLost();
    reader.give(10, stream);
    await settled();
    expect(reader.all).toEqual(["(live, new)", "(catching up)", "a 1"]);
    stream.busRestored();
    expect(reader.all.at(-1)).toBe("(live, new)");
  });

  test("that a stream is live only when the bus is connected again, if it opens before", async () => {
    const scene = createScene({}, createLostBus());
    await scene.fanout.start();
    const stream = await scene.open();
    const reader = new Reader();
    stream.pipe(reader);
    expect(reader.all).not.toContain("(live, new)");
    stream.busRestored();
    expect(reader.all.at(-1)).toBe("(live, new)");
  });

  test("nothing after the end of its stream", async () => {
    const scene = createScene();
    const stream = await scene.open();
    const reader = new Reader();
    stream.pipe(reader);
    stream.end();
    stream.busLost();
    await scene.say("a", "1");
    expect([reader.all, reader.ends]).toEqual([["(live, new)"], [undefined]]);
  });

  test("the end of a stream that ended before there was a sink", async () => {
    const scene = createScene();
    const stream = await scene.open();
    const error = new GatewayError("CURSOR_EXPIRED");
    stream.end(error);
    const reader = new Reader();
    stream.pipe(reader);
    expect([reader.all, reader.ends]).toEqual([[], [error]]);
  });
});

/** Longer than several attempts to read a log. */
const LONG_MS = 10_000;

afterEach(() => vi.useRealTimers());

describe("a log that cannot be read", () => {
  async function openBehind() {
    const bus = createTestBus();
    const log = brokenLog(bus.log);
    const scene = createScene({ log }, bus);
    const position = scene.position();
    await scene.say("a", "1", "2");
    const stream = await scene.open({ chatId: "a", start: { start: "resumed", position } });
    const reader = new Reader();
    stream.pipe(reader);
    await settled();
    return { scene, log, stream, reader, position };
  }

  test("is read again after a while, as often as it takes", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { log, reader } = await openBehind();
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(log.reads.length).toBeGreaterThan(2);
    expect([reader.all, reader.ends]).toEqual([[], []]);
    log.mend();
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(reader.all).toEqual(["a 1", "a 2", "(live, resumed)"]);
    const { length } = log.reads;
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(log.reads).toHaveLength(length);
  });

  test("is read at once when the bus is connected again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { log, stream, reader } = await openBehind();
    log.mend();
    stream.busRestored();
    await settled();
    expect(reader.events).toEqual(["a 1", "a 2"]);
    const { length } = log.reads;
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(log.reads).toHaveLength(length);
  });

  test("leaves the client at its position meanwhile", async () => {
    const { scene, stream, position } = await openBehind();
    await scene.say("a", "3");
    expect(stream.position()?.topics).toEqual({ [chatTopic("a")]: position.base });
    await stream.return();
  });

  test("is not read any more when the stream has ended", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { log, stream } = await openBehind();
    stream.end();
    await vi.advanceTimersByTimeAsync(LONG_MS);
    stream.busRestored();
    await settled();
    expect(log.reads).toEqual([chatTopic("a")]);
  });
});

describe("where the log does not reach back", () => {
  const BEYOND = Array.from({ length: 1001 }, (_, index) => String(index + 1));

  /** A history of what was sent to chat a, and of nothing else. */
  function historyOf(contents: readonly string[]): PastSources["history"] & { readonly asked: string[] } {
    const asked: string[] = [];
    const history: PastSources["history"]["select"] = async (_identity, chatId, { isWanted }) => {
      asked.push(chatId);
      const messages = contents.map((content): Message => message(chatId, content).message);
      return { messages: messages.filter(isWanted), had: [] };
    };
    return { asked, select: history };
  }

  test("a slow sink is given the messages of the history", async () => {
    const bus = createTestBus();
    const created = new Date().toISOString();
    const select: PastSources["history"]["select"] = async (_identity, chatId, { isWanted }) => {
      const messages = BEYOND.map((content, n) => ({
        ...message(chatId, content).message,
        createdAt: new Date(Date.parse(created) + n).toISOString(),
      }));
      return { messages: messages.filter(isWanted), had: [] };
    };
    const scene = createScene({ history: { select }, limit: BEYOND.length }, bus);
    const stream = await scene.open({ chatId: "a" });
    const reader = new Reader(0);
    stream.pipe(reader);
    await scene.say("a", ...BEYOND);
    reader.give(10_000, stream);
    await settled();
    expect(reader.events.toSorted()).toEqual(BEYOND.map((content) => `a ${content}`).toSorted());
    expect(reader.ends).toEqual([]);
  });

  test("a stream ends with CURSOR_EXPIRED where the history has too much", async () => {
    const scene = createScene({ history: { select: () => Promise.reject(new GatewayError("CURSOR_EXPIRED")) } });
    const [stream, beside] = [await scene.open(), await scene.open({ chatId: "b" })];
    const [reader, other] = [new Reader(0), new Reader(0)];
    stream.pipe(reader);
    beside.pipe(other);
    await scene.say("a", ...BEYOND);
    await scene.say("b", "1");
    reader.give(10_000, stream);
    other.give(10_000, beside);
    await settled();
    expect(reader.ends).toMatchObject([{ code: "CURSOR_EXPIRED" }]);
    expect(reader.events).toEqual([]);
    expect([other.events, other.ends]).toEqual([["b 1"], []]);
  });

  test("a stream is counted once, by where it began or that it could not", async () => {
    const history = { select: () => Promise.reject(new GatewayError("CURSOR_EXPIRED")) };
    const starts = new Counts<StartOutcome>();
    const scene = createScene({ history, starts });
    const [fresh, resumed] = [
      await scene.open(),
      await scene.open({ start: { start: "resumed", position: scene.position() } }),
    ];
    const position = { base: "", topics: {} };
    const tooLate = await scene.open({ start: { start: "resumed", position } });
    const readers = [new Reader(0), new Reader(), new Reader()];
    for (const [index, stream] of [fresh, resumed, tooLate].entries()) stream.pipe(readers[index] ?? new Reader());
    await settled();
    // Later it falls behind, and ends.
    await scene.say("a", ...BEYOND);
    readers[0]?.give(10_000, fresh);
    await settled();
    expect(readers.map(({ ends }) => ends.length)).toEqual([1, 0, 1]);
    expect(Object.fromEntries(starts)).toEqual({ new: 1, resumed: 1, expired: 1 });
  });

  test("a stream of receipts ends with CURSOR_EXPIRED, since the history has none", async () => {
    const scene = createScene();
    const stream = await scene.openAs("message.read", { chatId: "a" });
    const reader = new Reader(0);
    stream.pipe(reader);
    for (const id of BEYOND) await scene.publish(receipt("a", id, { id: `reader ${id}`, name: id }));
    reader.give(10_000, stream);
    await settled();
    expect([reader.events, reader.ends]).toMatchObject([[], [{ code: "CURSOR_EXPIRED" }]]);
  });

  test("messages push no receipts out of the log, nor the reverse", async () => {
    const scene = createScene({ history: NO_HISTORY });
    const [receipts, messages] = [
      await scene.openAs("message.read", { chatId: "a" }),
      await scene.open({ chatId: "b" }),
    ];
    const [ofReceipts, ofMessages] = [new Reader(0), new Reader(0)];
    receipts.pipe(ofReceipts);
    messages.pipe(ofMessages);
    await scene.publish(receipt("a", "first"));
    await scene.say("a", ...BEYOND);
    await scene.say("b", "first");
    for (const id of BEYOND) await scene.publish(receipt("b", id, { id: `reader ${id}`, name: id }));
    ofReceipts.give(10_000, receipts);
    ofMessages.give(10_000, messages);
    await settled();
    expect([ofReceipts.events, ofMessages.events]).toEqual([["a read first"], ["b first"]]);
    expect([ofReceipts.ends, ofMessages.ends]).toEqual([[], []]);
  });

  test("a client comes back to the history, and is then live without a duplicate", async () => {
    const history = historyOf(["1", "2"]);
    const scene = createScene({ history });
    // The log of this process begins after that position.
    const start: StreamStart = { start: "resumed", position: { base: positionAt(Date.parse(at), 0), topics: {} } };
    const stream = await scene.open({ chatId: "a", start });
    const reader = new Reader();
    stream.pipe(reader);
    await settled();
    // Another instance was disconnected when it was sent, and publishes it now.
    await scene.say("a", "2", "3");
    expect(history.asked).toEqual(["a"]);
    expect(reader.all).toEqual(["a 1", "a 2", "(live, resumed)", "a 3"]);
  });

  test("nothing of a history that is given in parts is lost where the log of another chat cannot be read for a moment", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const long = "x".repeat(100_000);
    const contents = Array.from({ length: 9 }, (_, n) => `${n} ${long}`);
    const bus = createTestBus();
    const history = historyOf(contents);
    let failures = 2;
    const log: EventLog<BusEvent> = {
      ...slowLog(bus.log),
      async read(topic, after) {
        if (topic === chatTopic("b") && failures-- > 0) throw new BusUnavailable();
        return topic === chatTopic("b") ? [] : bus.log.read(topic, after);
      },
    };
    const scene = createScene({ history, log }, bus);
    const start: StreamStart = { start: "resumed", position: { base: positionAt(Date.parse(at), 0), topics: {} } };
    const stream = await scene.open({ start });
    const reader = new Reader();
    stream.pipe(reader);
    for (let attempt = 0; attempt < 3; attempt++) {
      await settled();
      await vi.advanceTimersByTimeAsync(LONG_MS);
    }
    await settled();
    expect(reader.events.filter((text) => text.startsWith("a ")).map((text) => text.slice(2, 3))).toEqual(
      contents.map((content) => content.slice(0, 1)),
    );
  });

  test("a client is at no position before it has all of the history", async () => {
    const scene = createScene({ history: historyOf(["1", "2"]) });
    const start: StreamStart = { start: "resumed", position: { base: positionAt(Date.parse(at), 0), topics: {} } };
    const stream = await scene.open({ chatId: "a", start });
    const reader = new Reader(1);
    stream.pipe(reader);
    await settled();
    expect(stream.position()).toBeUndefined();
    reader.give(10, stream);
    await settled();
    const { base, topics } = stream.position() ?? { base: "", topics: {} };
    expect((topics[chatTopic("a")] ?? base) >= scene.position().base).toBe(true);
  });
});

describe("more than the limit", () => {
  test("of missed messages ends a stream that continues with CURSOR_EXPIRED", async () => {
    const scene = createScene({ limit: 3 });
    const position = scene.position();
    await scene.say("a", "1", "2");
    await scene.say("b", "3", "4");
    const [all, one] = [
      await scene.open({ start: { start: "resumed", position } }),
      await scene.open({ chatId: "a", start: { start: "resumed", position } }),
    ];
    const [ofAll, ofOne] = [new Reader(), new Reader()];
    all.pipe(ofAll);
    one.pipe(ofOne);
    await settled();
    expect([ofAll.events, ofAll.ends]).toMatchObject([[], [{ code: "CURSOR_EXPIRED" }]]);
    expect([ofOne.events, ofOne.ends]).toEqual([["a 1", "a 2"], []]);
  });

  test("is caught up by a reader that is only slow", async () => {
    const scene = createScene({ limit: 3 });
    const stream = await scene.open();
    const reader = new Reader(0);
    stream.pipe(reader);
    await scene.say("a", "1", "2", "3", "4", "5");
    reader.give(10, stream);
    await settled();
    expect([reader.events, reader.ends]).toEqual([["a 1", "a 2", "a 3", "a 4", "a 5"], []]);
  });

  test("is caught up in a chat that the viewer joined after coming back", async () => {
    const scene = createScene({ limit: 3 });
    const stream = await scene.open({ start: { start: "resumed", position: scene.position() } });
    const reader = new Reader();
    stream.pipe(reader);
    await settled();
    scene.directory.learn({ id: "c", participants: [scene.session.user, sender] }, scene.directory.now());
    await scene.directory.settled();
    reader.room = 0;
    await scene.say("c", "1", "2", "3", "4", "5");
    reader.give(10, stream);
    await settled();
    expect([reader.events, reader.ends]).toEqual([["c 1", "c 2", "c 3", "c 4", "c 5"], []]);
  });

  test("is caught up by a slow reader that had no chats when it came back", async () => {
    const scene = createScene({ limit: 3 });
    for (const chat of ["a", "b"]) scene.directory.leave("me", chat);
    const stream = await scene.open({ start: { start: "resumed", position: scene.position() } });
    const reader = new Reader(0);
    stream.pipe(reader);
    scene.directory.learn({ id: "a", participants: [scene.session.user, sender] }, scene.directory.now());
    await scene.directory.settled();
    await scene.say("a", "1", "2", "3", "4", "5");
    reader.give(10, stream);
    await settled();
    expect([reader.events, reader.ends]).toEqual([["a 1", "a 2", "a 3", "a 4", "a 5"], []]);
  });
});

describe("a reader that has left a chat gets nothing of it any more", () => {
  test("no message that it missed, while another chat's still come", async () => {
    const bus = createTestBus();
    const scene = createScene({ log: slowLog(bus.log) }, bus);
    const stream = await scene.open();
    const reader = new Reader(0);
    stream.pipe(reader);
    for (const chat of ["a", "b", "a", "b"]) await scene.say(chat, randomUUID());
    scene.directory.leave("me", "a");
    reader.give(10, stream);
    await settled();
    expect(reader.events.map((text) => text[0])).toEqual(["b", "b"]);
  });

  test("not even where its log is being read at that moment", async () => {
    const bus = createTestBus();
    const scene = createScene({ log: slowLog(bus.log) }, bus);
    const stream = await scene.open();
    const reader = new Reader(0);
    stream.pipe(reader);
    await scene.say("a", "1");
    await scene.say("b", "1");
    reader.give(10, stream);
    scene.directory.leave("me", "a");
    await settled();
    expect(reader.events).toEqual(["b 1"]);
  });

  test("and its subscription to all chats goes on where its history is refused", async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<never>();
    const select: PastSources["history"]["select"] = (_identity, chatId) => {
      if (chatId !== "a") return Promise.resolve({ messages: [], had: [] });
      asked.resolve();
      return answer.promise;
    };
    const scene = createScene({ history: { select } });
    const start: StreamStart = { start: "resumed", position: { base: positionAt(0, 0), topics: {} } };
    const stream = await scene.open({ start });
    const reader = new Reader();
    stream.pipe(reader);
    await asked.promise;
    scene.directory.leave("me", "a");
    answer.reject(new GatewayError("NOT_PARTICIPANT"));
    await settled();
    await scene.say("b", "1");
    expect([reader.events, reader.ends]).toEqual([["b 1"], []]);
  });

  test("nothing of what waits for an iterating reader, while another chat's still come", async () => {
    const scene = createScene();
    const stream = await scene.open();
    await scene.say("a", "0");
    expect(await read(stream, 1)).toEqual(["a 0"]);
    // The queue is full of chat a, and what is new in chat b is left to the log.
    await scene.say("a", ...Array.from({ length: 100 }, (_, index) => String(index + 1)));
    await scene.say("b", "1");
    scene.directory.leave("me", "a");
    const received: string[] = [];
    const reading = read(stream, 1).then((texts) => received.push(...texts));
    await settled();
    expect(received).toEqual(["b 1"]);
    await reading;
  });

  test("a subscription to that chat alone ends", async () => {
    const scene = createScene();
    const stream = await scene.open({ chatId: "a" });
    const reader = new Reader(0);
    stream.pipe(reader);
    await scene.say("a", "1");
    scene.directory.leave("me", "a");
    reader.give(10, stream);
    await settled();
    expect(reader.events).toEqual([]);
    expect(reader.ends).toMatchObject([{ code: "NOT_PARTICIPANT" }]);
  });
});

describe("the position of an iterating reader", () => {
  test("is before what waits and what it is still busy with", async () => {
    const scene = createScene();
    const stream = await scene.open({ chatId: "a" });
    const next = stream.next();
    const { position: first = "" } = await scene.publish(message("a", "1"));
    const { position: second = "" } = await scene.publish(message("a", "2"));
    await next;
    const at1 = stream.position()?.topics[chatTopic("a")] ?? "";
    expect(at1 < first).toBe(true);
    await stream.next();
    const at2 = stream.position()?.topics[chatTopic("a")] ?? "";
    expect(at2 >= first && at2 < second).toBe(true);
    // Asking for the next one, it is done with the second.
    void stream.next();
    expect(stream.position()).toEqual({ base: second, topics: {} });
  });
});
