/** What the log of a chat has lost: the fan-out reads it from the history, once for all of its listeners. */
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import type { Bus, TopicListener } from "../../src/bus/bus.ts";
import { positionAt } from "../../src/bus/position.ts";
import { Directory } from "../../src/chat/directory.ts";
import type { BusEvent, DeliveredEvent, EventType } from "../../src/chat/events/registry.ts";
import { chatTopic, USERS_TOPIC } from "../../src/chat/events/topics.ts";
import { KnownReads } from "../../src/chat/known-reads.ts";
import type { Message } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import { Unauthenticated } from "../../src/chat/unauthenticated.ts";
import { GatewayError } from "../../src/errors.ts";
import { FairTurns } from "../../src/fair-turns.ts";
import { Fanout } from "../../src/fanout/fanout.ts";
import type { Subscriber } from "../../src/fanout/subscriber.ts";
import { createPresence, createTestBus } from "../support/bus.ts";

const LIMIT = 100;

/** Created so many seconds after the epoch. */
function message(second: number): Message {
  return {
    id: String(second),
    chatId: "chat",
    sender: { id: "ben", name: "Ben" },
    content: String(second),
    createdAt: new Date(second * 1000).toISOString(),
    readAt: null,
    clientMessageId: null,
  };
}

class Spy implements Subscriber {
  readonly type: EventType;
  readonly session: Session;
  readonly chatId: string | undefined;
  readonly ends: unknown[] = [];

  constructor(type: EventType, session: Session, chatId?: string) {
    this.type = type;
    this.session = session;
    this.chatId = chatId;
  }

  deliver(_event: DeliveredEvent): void {}

  end(error?: GatewayError): void {
    this.ends.push(error?.code);
  }

  forget(): void {}

  joined(): void {}
  busLost(): void {}

  busRestored(): void {}

  async refresh(): Promise<void> {}
}

interface Question {
  readonly user: string;
  readonly chatId: string;
  readonly limit: number;
}

/** @param answer what the history has. */
async function createScene(answer: () => Promise<readonly Message[]>) {
  const listeners = new Map<string, TopicListener<BusEvent>>();
  const asked: Question[] = [];
  const directory = new Directory();
  const bus: Bus<BusEvent> = {
    ...createTestBus(),
    subscribe: async (topic, listener) => {
      listeners.set(topic, listener);
      return async () => undefined;
    },
  };
  const fanout = new Fanout({
    bus,
    directory,
    ...createPresence(bus, directory),
    reads: new KnownReads(),
    history: {
      select: async ({ user }, chatId, { isWanted, limit }) => {
        asked.push({ user: user.id, chatId, limit });
        return { messages: (await answer()).filter(isWanted), had: [] };
      },
    },
    replayLimit: LIMIT,
    turns: new FairTurns(),
    log: pino({ level: "silent" }),
  });
  await fanout.start();
  return {
    fanout,
    listeners,
    asked,
    open(name: string): Session {
      const user = { id: name, name, email: "", role: null };
      const session = new Session({ token: name, tokenHash: name, user }, directory);
      for (const id of ["chat", "other"]) {
        const others = [...(directory.chat(id)?.participants.values() ?? [])];
        directory.learn({ id, participants: [...others, user] }, directory.now());
      }
      return session;
    },
    async add(type: EventType, session: Session, chatId?: string): Promise<Spy> {
      const spy = new Spy(type, session, chatId);
      await fanout.add(spy);
      return spy;
    },
    /** Events after that second are missing, and the log does not have them. */
    async recover(second: number, isKnown: (event: BusEvent) => boolean = () => false) {
      return listeners.get(chatTopic("chat"))?.recover?.(positionAt(second * 1000, 0), isKnown);
    },
  };
}

describe("messages that the log has lost", () => {
  test("are read once, whatever the number of listeners", async () => {
    const scene = await createScene(async () => [message(100)]);
    const sessions = ["ann", "cleo"].map((name) => scene.open(name));
    for (const session of sessions) {
      await scene.add("message.created", session);
      await scene.add("message.created", session, "chat");
      await scene.add("typing.changed", session);
    }
    await scene.recover(100);
    expect(scene.asked).toEqual([{ user: "ann", chatId: "chat", limit: LIMIT }]);
  });

  test("come with the instants of their creation, which order them", async () => {
    const scene = await createScene(async () => [message(100), message(101)]);
    await scene.add("message.created", scene.open("ann"));
    expect(await scene.recover(100)).toEqual([
      { event: { type: "message.created", chatId: "chat", message: message(100) }, atMs: 100_000 },
      { event: { type: "message.created", chatId: "chat", message: message(101) }, atMs: 101_000 },
    ]);
  });

  test("include what was created up to ten seconds before the position", async () => {
    const scene = await createScene(async () => [1, 89, 90, 100, 170].map(message));
    await scene.add("message.created", scene.open("ann"));
    const recovered = await scene.recover(100);
    expect(recovered?.map(({ atMs }) => atMs / 1000)).toEqual([90, 100, 170]);
  });

  test("are read with the rights of a listener whose session has not ended", async () => {
    const scene = await createScene(async () => []);
    const [ann, cleo] = [scene.open("ann"), scene.open("cleo")];
    await scene.add("message.created", ann);
    await scene.add("message.created", cleo, "chat");
    ann.end(new Unauthenticated("Signed out"));
    await scene.recover(100);
    expect(scene.asked).toMatchObject([{ user: "cleo" }]);
  });

  test("are not read where nobody listens any more", async () => {
    const scene = await createScene(async () => [message(100)]);
    const spy = await scene.add("message.created", scene.open("ann"));
    scene.fanout.remove(spy);
    expect(await scene.recover(100)).toEqual([]);
    expect(scene.asked).toEqual([]);
  });

  test("are read for a chat alone: users have no history", async () => {
    const scene = await createScene(async () => []);
    const listener = scene.listeners.get(USERS_TOPIC);
    expect([listener !== undefined, listener && "recover" in listener]).toEqual([true, false]);
  });
});

describe("where the history cannot be read", () => {
  const unavailable = (): Promise<never> => Promise.reject(new GatewayError("UPSTREAM_UNAVAILABLE"));

  test("every subscription to messages of the chat ends with CURSOR_EXPIRED", async () => {
    const scene = await createScene(unavailable);
    const [ann, cleo] = [scene.open("ann"), scene.open("cleo")];
    const spies = [
      await scene.add("message.created", ann),
      await scene.add("message.created", ann, "chat"),
      await scene.add("message.created", cleo),
    ];
    expect(await scene.recover(100)).toBeUndefined();
    expect(spies.map(({ ends }) => ends)).toEqual([["CURSOR_EXPIRED"], ["CURSOR_EXPIRED"], ["CURSOR_EXPIRED"]]);
  });

  test("those to another chat and to other events go on", async () => {
    const scene = await createScene(unavailable);
    const ann = scene.open("ann");
    const spies = [
      await scene.add("message.created", ann, "other"),
      await scene.add("message.read", ann),
      await scene.add("typing.changed", ann, "chat"),
    ];
    expect(await scene.recover(100)).toBeUndefined();
    expect(spies.map(({ ends }) => ends)).toEqual([[], [], []]);
  });

  test("the history is not read again once the subscriptions have ended", async () => {
    const scene = await createScene(unavailable);
    const spy = await scene.add("message.created", scene.open("ann"));
    await scene.recover(100);
    scene.fanout.remove(spy);
    await scene.recover(100);
    expect(scene.asked).toHaveLength(1);
  });
});
