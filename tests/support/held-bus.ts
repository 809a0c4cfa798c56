/** Buses that hold back what a subscription waits for while it is opened. */
import { BusUnavailable, type Bus } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { Inbox } from "./inbox.ts";

export interface HeldBus {
  readonly bus: Bus<BusEvent>;
  /** Resolves when something waits. */
  asked(): Promise<void>;
  letBegin(): void;
}

/** A bus whose subscriptions to a topic do not come about until they are let. Events arrive meanwhile. */
export function createSlowBus(bus: Bus<BusEvent>, slow: string): HeldBus {
  const hold = Promise.withResolvers<void>();
  const topics = new Inbox<string>();
  const subscribe: typeof bus.subscribe = async (topic, listener) => {
    topics.put(topic);
    const unsubscribe = await bus.subscribe(topic, listener);
    if (topic === slow) await hold.promise;
    return unsubscribe;
  };
  return {
    bus: { ...bus, subscribe },
    async asked() {
      while ((await topics.next()) !== slow);
    },
    letBegin: () => hold.resolve(),
  };
}

/** A bus that answers no request for a position until it is let, or rejects each until then. The request has been executed meanwhile. */
export function createForgetfulBus(bus: Bus<BusEvent>, isFailing: boolean): HeldBus {
  const hold = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  let isHeld = true;
  hold.promise.then(
    () => (isHeld = false),
    () => undefined,
  );
  const take: typeof bus.fenced.take = async (...parameters) => {
    if (isHeld && isFailing) {
      asked.resolve();
      throw new BusUnavailable();
    }
    const taken = await bus.fenced.take(...parameters);
    asked.resolve();
    await hold.promise;
    return taken;
  };
  return {
    bus: { ...bus, fenced: { ...bus.fenced, take } },
    asked: () => asked.promise,
    letBegin: () => hold.resolve(),
  };
}
