/** What every bus promises, as tests that any of them is put through. */
import { describe, expect, test } from "vitest";
import type { Bus, BusOptions } from "../../src/bus/bus.ts";
import { Inbox } from "../support/inbox.ts";

export interface TestEvent {
  readonly n: number;
}

/** Of which every one is logged. */
export const TEST_EVENTS: Omit<BusOptions<TestEvent>, "onListenerError"> = {
  kindOf: () => "logged",
  idOf: ({ n }) => String(n),
  decode: (value) => (typeof (value as TestEvent | null)?.n === "number" ? (value as TestEvent) : undefined),
  logAgeMs: 60_000,
};

/** Two handles onto one bus, as two instances of the gateway hold them; the same handle twice where there is but one process. */
export interface BusPair extends AsyncDisposable {
  readonly one: Bus<TestEvent>;
  readonly other: Bus<TestEvent>;
}

/** Makes a bus that nobody else uses, with nothing on it. `onListenerError` hears of listeners that throw, whichever handle's. */
export type CreatePair = (onListenerError: (error: unknown) => void) => Promise<BusPair>;

/** No key of a test lives as long as this. */
const LONG_MS = 60_000;

const anna = { id: "anna", name: "Anna" };
const ben = { id: "ben", name: "Ben" };

/** For what comes about by itself. */
const PATIENTLY = { timeout: 10_000 };

export function busContract(name: string, create: CreatePair): void {
  const createPair = (): Promise<BusPair> =>
    create((error) => {
      throw error;
    });

  describe(`events over ${name}`, () => {
    test("an event reaches every subscriber of its topic, on the publisher's handle and on others, and nobody else", async () => {
      await using pair = await createPair();
      const [here, there, elsewhere] = [new Inbox<TestEvent>(), new Inbox<TestEvent>(), new Inbox<TestEvent>()];
      await pair.one.subscribe("topic", { receive: here.put });
      await pair.other.subscribe("topic", { receive: there.put });
      await pair.other.subscribe("another topic", { receive: elsewhere.put });
      await pair.one.publish("topic", { n: 1 });
      await pair.one.publish("another topic", { n: 2 });
      expect(await here.next()).toEqual({ n: 1 });
      expect(await there.next()).toEqual({ n: 1 });
      expect(await elsewhere.next()).toEqual({ n: 2 });
    });

    test("an event published right after a subscription stands is not lost", async () => {
      await using pair = await createPair();
      for (let n = 0; n < 20; n++) {
        const inbox = new Inbox<TestEvent>();
        await pair.other.subscribe(`topic ${n}`, { receive: inbox.put });
        await pair.one.publish(`topic ${n}`, { n });
        expect(await inbox.next()).toEqual({ n });
      }
    });

    test("events of one topic reach everybody in one order, whoever publishes at the same time", async () => {
      await using pair = await createPair();
      const [here, there] = [new Inbox<TestEvent>(), new Inbox<TestEvent>()];
      await pair.one.subscribe("topic", { receive: here.put });
      await pair.other.subscribe("topic", { receive: there.put });
      const numbers = Array.from({ length: 100 }, (_, n) => n);
      await Promise.all(numbers.map((n) => (n % 2 === 0 ? pair.one : pair.other).publish("topic", { n })));
      const order = await here.take(100);
      expect(await there.take(100)).toEqual(order);
      expect(order.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(numbers);
      // What one publisher sends comes in the order of sending.
      for (const parity of [0, 1]) {
        const ofOne = order.map(({ n }) => n).filter((n) => n % 2 === parity);
        expect(ofOne).toEqual(numbers.filter((n) => n % 2 === parity));
      }
    });

    test("after unsubscribing nothing comes any more, and the others are served as before", async () => {
      await using pair = await createPair();
      const [leaver, stayer] = [new Inbox<TestEvent>(), new Inbox<TestEvent>()];
      const unsubscribe = await pair.one.subscribe("topic", { receive: leaver.put });
      await pair.one.subscribe("topic", { receive: stayer.put });
      await pair.other.publish("topic", { n: 1 });
      expect(await leaver.next()).toEqual({ n: 1 });
      await unsubscribe();
      await pair.other.publish("topic", { n: 2 });
      await pair.other.publish("topic", { n: 3 });
      expect(await stayer.take(3)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      expect(leaver.all).toEqual([{ n: 1 }]);
    });

    test("a topic that everybody has left can be subscribed to again, even while the last one is leaving", async () => {
      await using pair = await createPair();
      const [first, second] = [new Inbox<TestEvent>(), new Inbox<TestEvent>()];
      const unsubscribe = await pair.one.subscribe("topic", { receive: first.put });
      await Promise.all([unsubscribe(), pair.one.subscribe("topic", { receive: second.put })]);
      // A second call must not take the successor's subscription away.
      await unsubscribe();
      await pair.other.publish("topic", { n: 1 });
      expect(await second.next()).toEqual({ n: 1 });
      expect(first.all).toEqual([]);
    });

    test("the same function subscribed twice is two subscriptions", async () => {
      await using pair = await createPair();
      const inbox = new Inbox<TestEvent>();
      const unsubscribe = await pair.one.subscribe("topic", { receive: inbox.put });
      await pair.one.subscribe("topic", { receive: inbox.put });
      await pair.other.publish("topic", { n: 1 });
      expect(await inbox.take(2)).toEqual([{ n: 1 }, { n: 1 }]);
      await unsubscribe();
      await pair.other.publish("topic", { n: 2 });
      await pair.other.publish("topic", { n: 3 });
      expect(await inbox.take(2)).toEqual([{ n: 2 }, { n: 3 }]);
    });

    test("a listener that throws is reported and harms no other, nor its own next event", async () => {
      const errors = new Inbox<unknown>();
      await using pair = await create(errors.put);
      const [thrower, neighbour, distant] = [new Inbox<TestEvent>(), new Inbox<TestEvent>(), new Inbox<TestEvent>()];
      await pair.one.subscribe("topic", {
        receive(event) {
          thrower.put(event);
          throw new Error(`cannot take ${event.n}`);
        },
      });
      await pair.one.subscribe("topic", { receive: neighbour.put });
      await pair.other.subscribe("topic", { receive: distant.put });
      await pair.one.publish("topic", { n: 1 });
      await pair.one.publish("topic", { n: 2 });
      for (const inbox of [thrower, neighbour, distant]) expect(await inbox.take(2)).toEqual([{ n: 1 }, { n: 2 }]);
      expect((await errors.take(2)).map(String)).toEqual(["Error: cannot take 1", "Error: cannot take 2"]);
    });

    test("a bus may be closed twice, and unsubscribing afterwards is harmless", async () => {
      await using pair = await createPair();
      const unsubscribe = await pair.one.subscribe("topic", { receive: () => undefined });
      await pair.one.close();
      await pair.one.close();
      await expect(unsubscribe()).resolves.toBeUndefined();
    });
  });

  describe(`shared state over ${name}`, () => {
    test("a value is read on either handle until another takes its place", async () => {
      await using pair = await createPair();
      expect(await pair.one.state.get("key")).toBeUndefined();
      await pair.one.state.set("key", { text: "é", list: [1, null] }, LONG_MS);
      expect(await pair.other.state.get("key")).toEqual({ text: "é", list: [1, null] });
      await pair.other.state.set("key", "new", LONG_MS);
      expect(await pair.one.state.get("key")).toBe("new");
      expect(await pair.one.state.get("another key")).toBeUndefined();
    });

    test("a value and a claim are gone after their time", async () => {
      await using pair = await createPair();
      await pair.one.state.set("value", 1, 20);
      await pair.one.state.set("lasting", 1, LONG_MS);
      expect(await pair.one.state.claim("claim", 20)).toBe(true);
      await expect.poll(() => pair.other.state.get("value"), PATIENTLY).toBeUndefined();
      await expect.poll(() => pair.other.state.claim("claim", LONG_MS), PATIENTLY).toBe(true);
      expect(await pair.other.state.get("lasting")).toBe(1);
    });

    test("of many who claim a key at the same time exactly one gets it", async () => {
      await using pair = await createPair();
      const claims = Array.from({ length: 50 }, (_, n) =>
        (n % 2 === 0 ? pair.one : pair.other).state.claim("key", LONG_MS),
      );
      expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
      expect(await pair.other.state.claim("key", LONG_MS)).toBe(false);
      expect(await pair.other.state.claim("another key", LONG_MS)).toBe(true);
    });

    test("a key that has a value cannot be claimed", async () => {
      await using pair = await createPair();
      await pair.one.state.set("key", 1, LONG_MS);
      expect(await pair.other.state.claim("key", LONG_MS)).toBe(false);
      expect(await pair.one.state.get("key")).toBe(1);
    });
  });

  describe(`presence over ${name}`, () => {
    test("a user is online from the first lease until settled after the last", async () => {
      await using pair = await createPair();
      const [one, other] = [pair.one.presence, pair.other.presence];
      expect(await one.enter(anna, "lease 1")).toBe(true);
      expect(await other.enter(anna, "lease 2")).toBe(false);
      expect(await one.leave("anna", "lease 1")).toBe(false);
      expect(await one.settle("anna")).toBe(false);
      expect(await other.read(["anna"])).toEqual([{ online: true, lastSeenAt: undefined }]);
      expect(await other.leave("anna", "lease 2")).toBe(true);
      expect(await one.read(["anna"])).toEqual([{ online: true, lastSeenAt: undefined }]);
      expect(await one.settle("anna")).toBe(true);
      const [state] = await other.read(["anna"]);
      expect(state).toEqual({ online: false, lastSeenAt: expect.any(String) });
      expect(new Date(state?.lastSeenAt ?? "").toISOString()).toBe(state?.lastSeenAt);
      expect(await one.enter(anna, "lease 3")).toBe(true);
      expect(await other.read(["anna"])).toEqual([{ online: true, lastSeenAt: undefined }]);
    });

    test("who is back before being settled has never been away", async () => {
      await using pair = await createPair();
      const [one, other] = [pair.one.presence, pair.other.presence];
      await one.enter(anna, "lease 1");
      expect(await one.leave("anna", "lease 1")).toBe(true);
      expect(await other.enter(anna, "lease 2")).toBe(false);
      expect(await one.settle("anna")).toBe(false);
      expect(await one.read(["anna"])).toEqual([{ online: true, lastSeenAt: undefined }]);
    });

    test("a lease counts once, and leaving without one changes nothing", async () => {
      await using pair = await createPair();
      const { presence } = pair.one;
      expect(await presence.leave("anna", "lease 1")).toBe(false);
      expect(await presence.settle("anna")).toBe(false);
      expect(await presence.enter(anna, "lease 1")).toBe(true);
      expect(await presence.enter(anna, "lease 1")).toBe(false);
      expect(await presence.leave("anna", "another's")).toBe(false);
      expect(await presence.leave("anna", "lease 1")).toBe(true);
      expect(await presence.leave("anna", "lease 1")).toBe(false);
    });

    test("each transition is told to exactly one of many callers", async () => {
      await using pair = await createPair();
      const leases = Array.from({ length: 20 }, (_, n) => `lease ${n}`);
      const of = (n: number): Bus<TestEvent>["presence"] => (n % 2 === 0 ? pair.one : pair.other).presence;
      const entered = await Promise.all(leases.map((lease, n) => of(n).enter(anna, lease)));
      expect(entered.filter(Boolean)).toHaveLength(1);
      const left = await Promise.all(leases.map((lease, n) => of(n).leave("anna", lease)));
      expect(left.filter(Boolean)).toHaveLength(1);
      const settled = await Promise.all(leases.map((_, n) => of(n).settle("anna")));
      expect(settled.filter(Boolean)).toHaveLength(1);
    });

    test("states are read in the order asked for; of strangers nothing is known", async () => {
      await using pair = await createPair();
      await pair.one.presence.enter(anna, "lease 1");
      await pair.one.presence.enter(ben, "lease 2");
      await pair.one.presence.leave("ben", "lease 2");
      await pair.one.presence.settle("ben");
      const away = { online: false, lastSeenAt: expect.any(String) };
      const online = { online: true, lastSeenAt: undefined };
      const unknown = { online: false, lastSeenAt: undefined };
      expect(await pair.other.presence.read(["zoe", "ben", "anna", "ben"])).toEqual([unknown, away, online, away]);
      expect(await pair.other.presence.read([])).toEqual([]);
    });
  });
}
