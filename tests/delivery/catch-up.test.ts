/** A reader that cannot take everything at once: nothing missed, nothing twice, nothing out of order. */
import { randomUUID } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Bus, EventLog, Published } from "../../src/bus/bus.ts";
import type { Position } from "../../src/bus/position.ts";
import { Directory } from "../../src/chat/directory.ts";
import { chatTopic, USERS_TOPIC, type BusEvent, type DeliveredEvent } from "../../src/chat/events.ts";
import type { Chat } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import { CatchUp } from "../../src/recovery/catch-up.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";
import { openStream, type Sink, type Stream, type StreamSpec } from "../../src/fanout/stream.ts";

const at = "2026-01-31T09:30:00.000Z";
const typist = { id: "typist", name: "Tina" };

const message = (chatId: string, content: string): DeliveredEvent => ({
  type: "message.created",
  chatId,
  message: { id: randomUUID(), chatId, sender: typist, content, createdAt: at, readAt: null, clientMessageId: null },
});
const receipt = (chatId: string, messageId: string): DeliveredEvent => ({
  type: "message.read",
  id: randomUUID(),
  chatId,
  receipt: { chatId, messageId, reader: typist, readAt: at },
});
const typing = (chatId: string, isTyping: boolean): DeliveredEvent => ({
  type: "typing.changed",
  chatId,
  change: { chatId, user: typist, isTyping },
});
const presence = (online: boolean): DeliveredEvent => ({
  type: "presence.changed",
  presence: { user: typist, online, lastSeenAt: online ? null : at },
});

/** An event as a text, for comparing. */
function told(event: DeliveredEvent): string {
  if (event.type === "message.created") return `${event.chatId} ${event.message.content}`;
  if (event.type === "message.read") return `${event.chatId} read ${event.receipt.messageId}`;
  if (event.type === "typing.changed") return `${event.chatId} ${event.change.isTyping ? "typing" : "still"}`;
  return event.presence.online ? "online" : "offline";
}

/** A sink that takes so many events at once as it has been given room for. */
class Reader implements Sink {
  readonly received: string[] = [];
  readonly ends: (Error | undefined)[] = [];
  room = 0;
  #hasLagged = false;

  get isLagging(): boolean {
    this.#hasLagged ||= this.room === 0;
    return this.room === 0;
  }

  write(event: DeliveredEvent): void {
    this.received.push(told(event));
    this.room--;
  }

  end(error: Error | undefined): void {
    this.ends.push(error);
  }

  /** As an outbox does it: says that there is room where it has said before that there was none. */
  give(room: number, stream: { resume(): void }): void {
    this.room += room;
    if (!this.#hasLagged || this.room === 0) return;
    this.#hasLagged = false;
    stream.resume();
  }
}

/** A log that answers when all that was going on at the moment is done, as one does that is asked over a network. */
function slowLog(inner: EventLog<BusEvent>): EventLog<BusEvent> {
  return {
    mark: (topics) => inner.mark(topics),
    tail: (topic) => inner.tail(topic),
    async read(topic: string, position: Position) {
      const entries = await inner.read(topic, position);
      await nextTurn();
      return entries;
    },
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

function createBus(): Bus<BusEvent> {
  return createTestBus();
}

function createScene(wrapLog: (inner: EventLog<BusEvent>) => EventLog<BusEvent> = (inner) => inner, bus = createBus()) {
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  const me = { id: "me", name: "Mary", email: "mary@example.com", role: null };
  const session = new Session({ token: "t", tokenHash: "h", user: me }, directory);
  const chats = ["a", "b"].map((id): Chat => ({
    id,
    title: null,
    participants: [me, typist],
    lastMessage: null,
    unreadCount: 0,
    createdAt: at,
    updatedAt: at,
  }));
  directory.replace("me", chats, directory.now());
  const publish = (event: DeliveredEvent): Promise<Published> =>
    bus.publish(event.type === "presence.changed" ? USERS_TOPIC : chatTopic(event.chatId), event);
  const open = (
    spec: Pick<StreamSpec<"message.created">, "chatId"> = { chatId: undefined },
  ): Promise<Stream<"message.created">> =>
    openStream(fanout, wrapLog(bus.log), { type: "message.created", session, takes: () => true, ...spec });
  const openTyping = (chatId?: string): Promise<Stream<"typing.changed">> =>
    openStream(fanout, wrapLog(bus.log), {
      type: "typing.changed",
      session,
      chatId,
      takes: () => true,
      stateOf: ({ change }) => ({ key: `${change.chatId} ${change.user.id}`, value: change.isTyping }),
    });
  const openPresence = (): Promise<Stream<"presence.changed">> =>
    openStream(fanout, wrapLog(bus.log), {
      type: "presence.changed",
      session,
      chatId: undefined,
      takes: () => true,
      stateOf: (event) => ({ key: event.presence.user.id, value: event.presence.online }),
    });
  return { bus, directory, fanout, session, publish, open, openTyping, openPresence };
}

test.each([
  ["at once", (inner: EventLog<BusEvent>) => inner],
  ["late", slowLog],
])(
  "whatever a reader takes when, it gets every event of a chat once and in order, from a log that answers %s",
  async (_when, wrapLog) => {
    // Of one run after another: it is made for many chats, and takes its time.
    const bus = createBus();
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("a", "b").map((chat) => ({ do: "send", chat }) as const) },
      { weight: 1, arbitrary: fc.constantFrom("a", "b").map((chat) => ({ do: "receipt", chat }) as const) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 5 }).map((room) => ({ do: "give", room }) as const) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }).map((count) => ({ do: "wait", count }) as const) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 0, max: 5 }),
        async (steps, early) => {
          const { publish, open, fanout } = createScene(wrapLog, bus);
          const stream = await open();
          const reader = new Reader();
          const sent: string[] = [];
          for (const [index, action] of steps.entries()) {
            // The first events come before anybody takes the stream.
            if (index === early) stream.pipe(reader);
            if (action.do === "send") {
              const event = message(action.chat, String(sent.length + 1));
              sent.push(told(event));
              await publish(event);
            } else if (action.do === "receipt") await publish(receipt(action.chat, String(index)));
            else if (action.do === "give") reader.give(action.room, stream);
            else await turns(action.count);
          }
          if (steps.length <= early) stream.pipe(reader);
          reader.give(Number.MAX_SAFE_INTEGER / 2, stream);
          for (let turn = 0; turn < 200 && reader.received.length < sent.length; turn++) await nextTurn();
          await turns(5);
          for (const chat of ["a ", "b "]) {
            const ofChat = (texts: readonly string[]): readonly string[] =>
              texts.filter((text) => text.startsWith(chat));
            expect(ofChat(reader.received)).toEqual(ofChat(sent));
          }
          expect(reader.ends).toEqual([]);
          await fanout.close();
        },
      ),
      { numRuns: 300, seed: 20_260_131 },
    );
  },
);

test("what comes while the log is read is given once", async () => {
  const scene = createScene(slowLog);
  const stream = await scene.open();
  const reader = new Reader();
  stream.pipe(reader);
  await scene.publish(message("a", "1"));
  reader.give(100, stream);
  await scene.publish(message("a", "2"));
  await turns(10);
  await scene.publish(message("a", "3"));
  expect(reader.received).toEqual(["a 1", "a 2", "a 3"]);
});

test("what was given while the bus was away, and is in the log since, is not given again", async () => {
  const bus = createBus();
  let isAway = false;
  const scene = createScene(undefined, {
    ...bus,
    publish: (topic, event) => bus.publish(topic, event),
    subscribe: (topic, listener) =>
      bus.subscribe(topic, {
        ...listener,
        receive: (event, position) => listener.receive(event, isAway ? undefined : position),
      }),
  });
  const stream = await scene.open();
  const reader = new Reader();
  stream.pipe(reader);
  await scene.publish(message("a", "1"));
  isAway = true;
  await scene.publish(message("a", "2"));
  isAway = false;
  await scene.publish(message("a", "3"));
  reader.give(100, stream);
  await turns(10);
  expect(reader.received.toSorted()).toEqual(["a 1", "a 2", "a 3"]);
});

test("what waits from before a sink took the stream comes before what is newer", async () => {
  const scene = createScene();
  const stream = await scene.open();
  const reader = new Reader();
  await scene.publish(message("a", "1"));
  stream.pipe(reader);
  reader.room = 10;
  await scene.publish(message("a", "2"));
  reader.give(10, stream);
  await turns(5);
  expect(reader.received).toEqual(["a 1", "a 2"]);
});

describe("states conflate while the reader takes nothing", () => {
  test("of many changes the last one comes, at its place in time", async () => {
    const scene = createScene();
    const stream = await scene.openTyping();
    const reader = new Reader();
    stream.pipe(reader);
    for (let turn = 0; turn < 50; turn++) {
      await scene.publish(typing("a", true));
      await scene.publish(typing("b", true));
      await scene.publish(typing("a", false));
      await scene.publish(typing("b", false));
    }
    await scene.publish(typing("b", true));
    await scene.publish(typing("a", true));
    reader.give(1, stream);
    expect(reader.received).toEqual(["b typing"]);
    reader.give(10, stream);
    expect(reader.received).toEqual(["b typing", "a typing"]);
    await scene.publish(typing("a", true));
    await scene.publish(typing("a", false));
    expect(reader.received).toEqual(["b typing", "a typing", "a still"]);
  });

  test("of presence as well", async () => {
    const scene = createScene();
    await scene.fanout.start();
    const stream = await scene.openPresence();
    const reader = new Reader();
    stream.pipe(reader);
    for (const online of [true, false, true, false, true]) await scene.publish(presence(online));
    reader.give(10, stream);
    expect(reader.received).toEqual(["online"]);
  });
});

describe("a reader that has left a chat gets nothing of it any more", () => {
  test("no event that it has missed, while another chat's still come", async () => {
    const scene = createScene(slowLog);
    const stream = await scene.open();
    const reader = new Reader();
    stream.pipe(reader);
    for (const chat of ["a", "b", "a", "b"]) await scene.publish(message(chat, "x"));
    scene.directory.leave("me", "a");
    reader.give(10, stream);
    await turns(10);
    expect(reader.received).toEqual(["b x", "b x"]);
  });

  test("not even where its log is being read at that moment", async () => {
    const scene = createScene(slowLog);
    const stream = await scene.open();
    const reader = new Reader();
    stream.pipe(reader);
    for (const chat of ["a", "b"]) await scene.publish(message(chat, "x"));
    reader.give(10, stream);
    scene.directory.leave("me", "a");
    await turns(10);
    expect(reader.received).toEqual(["b x"]);
  });

  test("no state that waits for it, and after coming back what is true then", async () => {
    const scene = createScene();
    const stream = await scene.openTyping();
    const reader = new Reader();
    stream.pipe(reader);
    for (const chat of ["a", "b"]) await scene.publish(typing(chat, true));
    scene.directory.leave("me", "a");
    reader.give(10, stream);
    expect(reader.received).toEqual(["b typing"]);
    const back = { id: "a", title: null, lastMessage: null, unreadCount: 0, createdAt: at, updatedAt: at };
    scene.directory.learn({ ...back, participants: [scene.session.user, typist] }, scene.directory.now());
    await turns(2);
    await scene.publish(typing("a", true));
    expect(reader.received).toEqual(["b typing", "a typing"]);
  });

  test("a subscription to that chat alone ends", async () => {
    const scene = createScene();
    const stream = await scene.open({ chatId: "a" });
    const reader = new Reader();
    stream.pipe(reader);
    await scene.publish(message("a", "1"));
    scene.directory.leave("me", "a");
    reader.give(10, stream);
    await turns(5);
    expect(reader.received).toEqual([]);
    expect(reader.ends).toMatchObject([{ code: "NOT_PARTICIPANT" }]);
  });
});

test("where the log no longer reaches what is missing the stream ends with CURSOR_EXPIRED", async () => {
  const scene = createScene();
  const [stream, beside] = [await scene.open(), await scene.open({ chatId: "b" })];
  const [reader, other] = [new Reader(), new Reader()];
  stream.pipe(reader);
  beside.pipe(other);
  for (let count = 1; count <= 1001; count++) await scene.publish(message("a", String(count)));
  await scene.publish(message("b", "1"));
  reader.give(10_000, stream);
  other.give(10_000, beside);
  await turns(5);
  expect(reader.ends).toMatchObject([{ code: "CURSOR_EXPIRED" }]);
  expect(reader.received.filter((text) => text.startsWith("a"))).toEqual([]);
  expect(other.received).toEqual(["b 1"]);
  expect(other.ends).toEqual([]);
});

test("as far as the log reaches nothing is lost", async () => {
  const scene = createScene();
  const stream = await scene.open();
  const reader = new Reader();
  stream.pipe(reader);
  for (let count = 1; count <= 1000; count++) await scene.publish(message("a", String(count)));
  while (reader.received.length < 1000) {
    reader.give(7, stream);
    await turns(2);
  }
  expect(reader.received).toEqual(Array.from({ length: 1000 }, (_, index) => `a ${index + 1}`));
  expect(reader.ends).toEqual([]);
});

test("a catch-up that is asked for again while it runs gives nothing twice", async () => {
  const scene = createScene();
  const written: string[] = [];
  const catchUp = new CatchUp(slowLog(scene.bus.log), {
    isLagging: false,
    write: (event) => written.push(told(event as DeliveredEvent)),
  });
  await scene.bus.subscribe(chatTopic("a"), {
    receive(_event, position) {
      if (position !== undefined) catchUp.admit(chatTopic("a"), position, false);
    },
  });
  await scene.publish(message("a", "1"));
  const runs = [catchUp.run(), catchUp.run()];
  await scene.publish(message("a", "2"));
  await Promise.all([...runs, catchUp.run()]);
  expect(written).toEqual(["a 1", "a 2"]);
});
