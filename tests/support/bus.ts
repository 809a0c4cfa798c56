/** A bus within the test's process, which fails the test where a listener throws. */
import { pino } from "pino";
import type { Bus, EventLog } from "../../src/bus/bus.ts";
import { createMemoryBus } from "../../src/bus/memory/memory-bus.ts";
import type { Directory } from "../../src/chat/directory.ts";
import { Presence } from "../../src/chat/presence.ts";
import { PresenceAudience } from "../../src/chat/presence-audience.ts";
import { KnownReads } from "../../src/chat/known-reads.ts";
import { compactionOf, decodeEvent, idOf, kindOf, timeOf, type BusEvent } from "../../src/chat/events/registry.ts";
import { FairTurns } from "../../src/fair-turns.ts";
import { Fanout } from "../../src/fanout/fanout.ts";

export function createTestBus(): Bus<BusEvent> {
  return createMemoryBus<BusEvent>({
    kindOf,
    idOf,
    compactionOf,
    timeOf,
    decode: decodeEvent,
    logAgeMs: 60_000,
    onListenerError(error) {
      throw error;
    },
  });
}

/** A bus with another way of asking its log. */
export function withLog(bus: Bus<BusEvent>, asked: Partial<EventLog<BusEvent>>): Bus<BusEvent> {
  const { log } = bus;
  return {
    ...bus,
    log: {
      position: (topics) => log.position(topics),
      positionsOf: (topic, ids) => log.positionsOf(topic, ids),
      delayAfter: (topic, after) => log.delayAfter(topic, after),
      tail: (topic) => log.tail(topic),
      read: (topic, after, part) => log.read(topic, after, part),
      ...asked,
    },
  };
}

/** What a fan-out knows about presence, in chats of any size. */
export function createPresence(
  bus: Bus<BusEvent>,
  directory: Directory,
): { readonly presence: Presence; readonly presenceAudience: PresenceAudience } {
  const presence = new Presence(bus, 0, pino({ level: "silent" }));
  return { presence, presenceAudience: new PresenceAudience(directory, Infinity) };
}

/** A fan-out on that bus, in a world whose log loses nothing that the history would have to fill in. */
export function createTestFanout(bus: Bus<BusEvent>, directory: Directory): Fanout {
  const history = { select: () => Promise.reject(new Error("the history was asked")) };
  return new Fanout({
    bus,
    directory,
    ...createPresence(bus, directory),
    history,
    reads: new KnownReads(),
    replayLimit: 1000,
    turns: new FairTurns(),
    log: pino({ level: "silent" }),
  });
}

/** A bus that is disconnected when it is asked for the first time. */
export function createLostBus(): Bus<BusEvent> {
  const observe: Bus<BusEvent>["observe"] = (listener) => {
    listener.lost?.();
    return () => undefined;
  };
  return { ...createTestBus(), observe };
}
