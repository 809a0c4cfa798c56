/** A stream of states: its reader gets the latest of each, and what nobody could say for a while when it is known again. */
import { describe, expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { Directory } from "../../src/chat/directory.ts";
import type { BusEvent, DeliveredEvent, EventOf } from "../../src/chat/events/registry.ts";
import { chatTopic, USERS_TOPIC } from "../../src/chat/events/topics.ts";
import { Session } from "../../src/chat/session.ts";
import type { Sink, StreamState } from "../../src/fanout/sink.ts";
import { StateStream } from "../../src/fanout/state-stream.ts";
import { createLostBus, createTestBus, createTestFanout } from "../support/bus.ts";

const at = "2026-01-31T09:30:00.000Z";
const me = { id: "me", name: "Mary", email: "mary@example.com", role: null };
const ann = { id: "ann", name: "Ann" };
const NOTHING = async (): Promise<readonly never[]> => [];

function presence(online: boolean): EventOf<"presence.changed"> {
  return { type: "presence.changed", presence: { user: ann, online, lastSeenAt: online ? null : at } };
}

function typing(chatId: string, isTyping: boolean): EventOf<"typing.changed"> {
  return { type: "typing.changed", chatId, change: { chatId, user: ann, isTyping } };
}

/** A sink that has room for so many events. */
class Reader implements Sink {
  readonly all: string[] = [];
  room: number;

  constructor(room = Infinity) {
    this.room = room;
  }

  get isLagging(): boolean {
    return this.room === 0;
  }

  write(event: DeliveredEvent): void {
    this.room--;
    if (event.type === "typing.changed") this.all.push(`${event.chatId} ${event.change.isTyping ? "typing" : "still"}`);
    else if (event.type === "presence.changed") this.all.push(event.presence.online ? "online" : "offline");
  }

  state(state: StreamState): void {
    this.all.push(state.state === "live" ? `(live, ${state.start})` : "(catching up)");
  }

  end(): void {
    this.all.push("(end)");
  }

  give(room: number, stream: { resume(): void }): void {
    this.room += room;
    stream.resume();
  }
}

async function createScene(bus: Bus<BusEvent> = createTestBus()) {
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  await fanout.start();
  const session = new Session({ token: "t", tokenHash: "h", user: me }, directory);
  const chat = (id: string) => ({
    id,
    title: null,
    participants: [me, ann],
    lastMessage: null,
    unreadCount: 0,
    createdAt: at,
    updatedAt: at,
  });
  directory.replace("me", ["a", "b"].map(chat), directory.now());
  const spec = { session, chatId: undefined };
  const takes = (): boolean => true;
  return {
    directory,
    type: (chatId: string, isTyping: boolean) => bus.publish(chatTopic(chatId), typing(chatId, isTyping)),
    announce: (online: boolean) => bus.publish(USERS_TOPIC, presence(online)),
    leave: (chatId: string) => directory.leave("me", chatId),
    comeBack: async (chatId: string) => {
      directory.learn(chat(chatId), directory.now());
      await directory.settled();
    },
    openTyping: async (snapshot: () => Promise<readonly EventOf<"typing.changed">[]> = NOTHING) => {
      const stateOf = ({ change }: EventOf<"typing.changed">) => ({ key: change.chatId, value: change.isTyping });
      const whole = async () => ({ events: await snapshot(), isComplete: true });
      const stream = new StateStream(fanout, { type: "typing.changed", takes, stateOf, snapshot: whole }, spec);
      await stream.open();
      return stream;
    },
    openPresence: async (
      snapshot: () => Promise<readonly EventOf<"presence.changed">[]> = NOTHING,
      isComplete = () => true,
    ) => {
      const stateOf = (event: EventOf<"presence.changed">) => ({
        key: event.presence.user.id,
        value: event.presence.online,
      });
      const whole = async () => ({ events: await snapshot(), isComplete: isComplete() });
      const stream = new StateStream(fanout, { type: "presence.changed", takes, stateOf, snapshot: whole }, spec);
      await stream.open();
      return stream;
    },
    [Symbol.asyncDispose]: () => fanout.close(),
  };
}

describe("while the reader takes nothing, states replace one another", () => {
  test("and the last one of each comes, in the order of these", async () => {
    await using scene = await createScene();
    const stream = await scene.openTyping();
    const reader = new Reader(0);
    stream.pipe(reader);
    for (const isTyping of [true, false, true, false]) {
      await scene.type("a", isTyping);
      await scene.type("b", isTyping);
    }
    await scene.type("b", true);
    await scene.type("a", true);
    reader.give(1, stream);
    expect(reader.all).toEqual(["(live, new)", "b typing"]);
    reader.give(10, stream);
    await scene.type("a", true);
    await scene.type("a", false);
    expect(reader.all).toEqual(["(live, new)", "b typing", "a typing", "a still"]);
  });

  test("and of presence as well", async () => {
    await using scene = await createScene();
    const stream = await scene.openPresence();
    const reader = new Reader(0);
    stream.pipe(reader);
    for (const online of [true, false, true, false, true]) await scene.announce(online);
    reader.give(10, stream);
    expect(reader.all).toEqual(["(live, new)", "online"]);
  });

  test("and what is newer does not come before what waits", async () => {
    await using scene = await createScene();
    const stream = await scene.openTyping();
    const reader = new Reader(0);
    stream.pipe(reader);
    await scene.type("a", true);
    reader.room = 10;
    await scene.type("b", true);
    stream.resume();
    expect(reader.all).toEqual(["(live, new)", "a typing", "b typing"]);
  });
});

describe("a reader that has left a chat", () => {
  test("gets no state of it, and after coming back what is true then", async () => {
    await using scene = await createScene();
    const stream = await scene.openTyping();
    const reader = new Reader(0);
    stream.pipe(reader);
    for (const chat of ["a", "b"]) await scene.type(chat, true);
    scene.leave("a");
    reader.give(10, stream);
    expect(reader.all).toEqual(["(live, new)", "b typing"]);
    await scene.comeBack("a");
    await scene.type("a", true);
    expect(reader.all).toEqual(["(live, new)", "b typing", "a typing"]);
  });

  test("gets the states of others where it iterates", async () => {
    await using scene = await createScene();
    const stream = await scene.openTyping();
    const first = stream.next();
    await scene.type("a", true);
    await first;
    // One state waits in the queue, the other one behind it.
    await scene.type("a", false);
    await scene.type("b", true);
    scene.leave("a");
    const received: unknown[] = [];
    void stream.next().then(({ value }) => received.push(value));
    await new Promise((resolve) => setImmediate(resolve));
    expect(received).toEqual([typing("b", true)]);
  });

  test("gets a state that is still true and that it did not read before it left", async () => {
    await using scene = await createScene();
    let present: readonly EventOf<"typing.changed">[] = [];
    const stream = await scene.openTyping(async () => present);
    const first = stream.next();
    await scene.type("b", true);
    await first;
    await scene.type("a", true);
    scene.leave("a");
    present = [typing("a", true), typing("b", true)];
    await scene.comeBack("a");
    const received: unknown[] = [];
    void stream.next().then(({ value }) => received.push(value));
    await new Promise((resolve) => setImmediate(resolve));
    expect(received).toEqual([typing("a", true)]);
  });
});

describe("a refresh", () => {
  test("tells what has become true, and repeats nothing", async () => {
    await using scene = await createScene();
    let present = [typing("a", true)];
    const stream = await scene.openTyping(async () => present);
    const reader = new Reader();
    stream.pipe(reader);
    present = [typing("a", true), typing("b", true)];
    await stream.refresh();
    await stream.refresh();
    expect(reader.all).toEqual(["a typing", "(live, new)", "b typing"]);
  });

  test("does not take a user for offline who could not be asked about", async () => {
    await using scene = await createScene();
    let present = [presence(true)];
    const stream = await scene.openPresence(async () => present);
    const reader = new Reader();
    stream.pipe(reader);
    present = [];
    await stream.refresh();
    await scene.announce(false);
    await scene.announce(false);
    await scene.announce(true);
    expect(reader.all).toEqual(["online", "(live, new)", "offline", "online"]);
  });

  test("repeats nothing about a user who could not be asked about for a moment", async () => {
    await using scene = await createScene();
    let present = [presence(true)];
    const stream = await scene.openPresence(
      async () => present,
      () => present.length > 0,
    );
    const reader = new Reader();
    stream.pipe(reader);
    present = [];
    await stream.refresh();
    present = [presence(true)];
    await stream.refresh();
    await scene.announce(false);
    expect(reader.all).toEqual(["online", "(live, new)", "offline"]);
  });

  test("does not put back what changed while the present was read", async () => {
    await using scene = await createScene();
    const read = Promise.withResolvers<readonly EventOf<"typing.changed">[]>();
    let snapshot = NOTHING as () => Promise<readonly EventOf<"typing.changed">[]>;
    const stream = await scene.openTyping(() => snapshot());
    const reader = new Reader();
    stream.pipe(reader);
    snapshot = () => read.promise;
    const refreshed = stream.refresh();
    await scene.type("a", true);
    await scene.type("a", false);
    read.resolve([typing("a", true)]);
    await refreshed;
    expect(reader.all).toEqual(["(live, new)", "a typing", "a still"]);
  });
});

describe("a sink is told", () => {
  test("that delivery pauses while the bus is disconnected", async () => {
    await using scene = await createScene();
    const stream = await scene.openTyping();
    const reader = new Reader();
    stream.pipe(reader);
    stream.busLost();
    stream.busLost();
    stream.busRestored();
    stream.busRestored();
    expect(reader.all).toEqual(["(live, new)", "(catching up)", "(live, new)"]);
  });

  test("that a stream is live only when the bus is connected again, if it opens before", async () => {
    await using scene = await createScene(createLostBus());
    const stream = await scene.openTyping();
    const reader = new Reader();
    stream.pipe(reader);
    expect(reader.all).not.toContain("(live, new)");
    stream.busRestored();
    expect(reader.all.at(-1)).toBe("(live, new)");
  });

  test("the present first, and then that the stream is live", async () => {
    await using scene = await createScene();
    const stream = await scene.openPresence(async () => [presence(true)]);
    const reader = new Reader();
    stream.pipe(reader);
    stream.end();
    expect(reader.all).toEqual(["online", "(live, new)", "(end)"]);
  });
});
