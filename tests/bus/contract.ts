/** What every bus promises, as tests that any of them is put through. */
import { describe, expect, test } from "vitest";
import { LOG_MAX_EVENTS, type Bus, type LogEntry, type PublishResult, type TakenValue } from "../../src/bus/bus.ts";
import { earlier, type Position } from "../../src/bus/position.ts";
import { Inbox } from "../support/inbox.ts";
import type { TestEvent } from "./events.ts";

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
const PATIENTLY = { timeout: 45_000 };

function numbersOf(entries: readonly LogEntry<TestEvent>[] | undefined): number[] | undefined {
  return entries?.map(({ event }) => event.n);
}

export function busContract(name: string, create: CreatePair): void {
  const createPair = (): Promise<BusPair> =>
    create((error) => {
      throw error;
    });

  describe(`events over ${name}`, () => {
    test("an event reaches every listener of its topic, on every handle, and nobody else", async () => {
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

    test("an event published right after a subscription resolves is not lost", async () => {
      await using pair = await createPair();
      for (let n = 0; n < 20; n++) {
        const inbox = new Inbox<TestEvent>();
        await pair.other.subscribe(`topic ${n}`, { receive: inbox.put });
        await pair.one.publish(`topic ${n}`, { n });
        expect(await inbox.next()).toEqual({ n });
      }
    });

    test("what a process publishes after it has asked to listen is delivered to it, though listening has not begun", async () => {
      await using pair = await createPair();
      for (let n = 0; n < 20; n++) {
        const topic = `topic ${n}`;
        const inbox = new Inbox<TestEvent>();
        // Every other topic has been published on before.
        if (n % 2 === 0) await pair.one.publish(topic, { n: -1 });
        const subscribing = pair.one.subscribe(topic, { receive: inbox.put });
        await Promise.all([subscribing, ...[0, 1, 2].map((m) => pair.one.publish(topic, { n: 10 * n + m }))]);
        await pair.other.publish(topic, { n: 10 * n + 3 });
        expect(await inbox.take(4)).toEqual([0, 1, 2, 3].map((m) => ({ n: 10 * n + m })));
      }
    });

    test("events of a topic reach everybody in one order, with concurrent publishers", async () => {
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

    test("after unsubscribing nothing arrives, and the others are served as before", async () => {
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

    test("a topic can be subscribed to again while its last listener is leaving", async () => {
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

  describe(`the log over ${name}`, () => {
    /** Resolves to what the listener was given, event and position. */
    const listen = async (
      bus: Bus<TestEvent>,
      topic = "topic",
    ): Promise<Inbox<{ readonly event: TestEvent; readonly position: Position | undefined }>> => {
      const inbox = new Inbox<{ readonly event: TestEvent; readonly position: Position | undefined }>();
      await bus.subscribe(topic, { receive: (event, position) => inbox.put({ event, position }) });
      return inbox;
    };

    test("a durable event has one position for publisher, listeners and log, and it grows", async () => {
      await using pair = await createPair();
      const [here, there] = [await listen(pair.one), await listen(pair.other)];
      const published = [];
      for (let n = 0; n < 5; n++) published.push(await (n % 2 === 0 ? pair.one : pair.other).publish("topic", { n }));
      const positions = published.map(({ position }) => position);
      expect(positions).toEqual(positions.map(String).toSorted());
      expect(new Set(positions).size).toBe(5);
      const expected = positions.map((position, n) => ({ event: { n }, position }));
      expect(await here.take(5)).toEqual(expected);
      expect(await there.take(5)).toEqual(expected);
      expect((await pair.other.log.tail("topic")).entries).toEqual(expected);
    });

    test("positions grow over topics too", async () => {
      await using pair = await createPair();
      const positions = [];
      for (let n = 0; n < 10; n++) positions.push((await pair.one.publish(`topic ${n}`, { n })).position);
      expect(positions).toEqual(positions.map(String).toSorted());
      expect(new Set(positions).size).toBe(10);
    });

    test("an event that is published again under its id is a duplicate at the same position", async () => {
      await using pair = await createPair();
      const inbox = await listen(pair.other);
      const first = await pair.one.publish("topic", { n: 1 });
      expect(await pair.other.publish("topic", { n: 1 })).toEqual(first);
      expect(await pair.one.publish("topic", { n: 1 })).toEqual(first);
      await pair.one.publish("topic", { n: 2 });
      expect((await inbox.take(2)).map(({ event }) => event.n)).toEqual([1, 2]);
      expect((await pair.one.log.tail("topic")).entries).toHaveLength(2);
      // Of another topic it is another.
      expect((await pair.one.publish("another topic", { n: 1 })).position).not.toBe(first.position);
    });

    test("a transient event is delivered, has no position and is not in the log", async () => {
      await using pair = await createPair();
      const inbox = await listen(pair.other);
      const event: TestEvent = { n: 1, kind: "transient" };
      expect(await pair.one.publish("topic", event)).toEqual({ position: undefined, isDropped: false });
      expect(await pair.one.publish("topic", event)).toEqual({ position: undefined, isDropped: false });
      const given = { event, position: undefined };
      expect(await inbox.take(2)).toEqual([given, given]);
      expect((await pair.one.log.tail("topic")).entries).toEqual([]);
    });

    test("reading returns what is after a position, on a handle that subscribes or not", async () => {
      await using pair = await createPair();
      const inbox = await listen(pair.one);
      const start = pair.one.log.position(["topic"]);
      const from = start.topics["topic"] ?? start.base;
      expect(await pair.one.log.read("topic", from)).toEqual([]);
      for (let n = 0; n < 5; n++) await pair.one.publish("topic", { n });
      const given = await inbox.take(5);
      for (const bus of [pair.one, pair.other]) {
        expect(await bus.log.read("topic", from)).toEqual(given);
        expect(await bus.log.read("topic", given[2]?.position ?? "")).toEqual(given.slice(3));
        expect(await bus.log.read("topic", given[4]?.position ?? "")).toEqual([]);
        expect(await bus.log.read("quiet topic", given[4]?.position ?? "")).toEqual([]);
      }
    });

    test("of events after a position the longest delay is known, however short it was before", async () => {
      await using pair = await createPair();
      const { position: start = "" } = await pair.one.publish("topic", { n: 1, atMs: Date.now() });
      expect(await pair.one.log.delayAfter("topic", start)).toBe(0);
      for (const [n, delayMs] of [60_000, 30_000].entries()) {
        await pair.one.publish("topic", { n: n + 2, atMs: Date.now() - delayMs });
      }
      const { position: last = "" } = await pair.one.publish("topic", { n: 4, atMs: Date.now() });
      const delayMs = await pair.other.log.delayAfter("topic", start);
      expect(delayMs).toBeGreaterThanOrEqual(60_000);
      expect(delayMs).toBeLessThan(120_000);
      expect(await pair.other.log.delayAfter("topic", last)).toBe(0);
    });

    test("a position before the log's beginning cannot be read from", async () => {
      await using pair = await createPair();
      await pair.one.publish("topic", { n: 1 });
      const { since } = await pair.one.log.tail("topic");
      expect(await pair.one.log.read("topic", since)).toHaveLength(1);
      expect(await pair.one.log.read("topic", earlier(since, 1))).toBeUndefined();
      expect(await pair.other.log.read("quiet topic", earlier(since, 600_000))).toBeUndefined();
    });

    test("the log of a topic is bounded, and says after which position it is complete", async () => {
      await using pair = await createPair();
      const start = (await pair.one.publish("topic", { n: -1 })).position ?? "";
      const count = LOG_MAX_EVENTS + 100;
      await Promise.all(Array.from({ length: count }, (_, n) => pair.one.publish("topic", { n })));
      expect(await pair.other.log.read("topic", start)).toBeUndefined();
      const { since, entries } = await pair.other.log.tail("topic");
      expect(entries.map(({ event }) => event.n)).toEqual(Array.from({ length: LOG_MAX_EVENTS }, (_, n) => n + 100));
      expect(since > start).toBe(true);
      expect(await pair.other.log.read("topic", since)).toEqual(entries);
    });

    test("of compacted events the log has the newest of each key, apart from the others", async () => {
      await using pair = await createPair();
      const inbox = await listen(pair.other);
      const published = (n: number, key?: string, keeps = 1): Promise<PublishResult> =>
        pair.one.publish("topic", key === undefined ? { n } : { n, compaction: { key, keeps } });
      const start = (await published(0)).position ?? "";
      await published(1, "anna");
      await published(2, "ben", 2);
      await published(3);
      await published(4, "anna");
      await published(5, "ben", 2);
      await published(6, "ben", 2);
      expect((await inbox.take(7)).map(({ event }) => event.n)).toEqual([0, 1, 2, 3, 4, 5, 6]);
      for (const { log } of [pair.one, pair.other]) {
        expect(numbersOf(await log.read("topic", start))).toEqual([3]);
        expect(numbersOf(await log.read("topic", start, "compacted"))).toEqual([4, 5, 6]);
        expect(numbersOf((await log.tail("topic")).entries)).toEqual([0, 3]);
      }
      await published(7, "ben");
      expect(numbersOf(await pair.other.log.read("topic", start, "compacted"))).toEqual([4, 7]);
    });

    test("neither compacted events nor the others push one another out of the log", async () => {
      await using pair = await createPair();
      const start = (await pair.one.publish("topic", { n: -2 })).position ?? "";
      await pair.one.publish("topic", { n: -1, compaction: { key: "first", keeps: 1 } });
      const count = LOG_MAX_EVENTS + 100;
      const flood = Array.from({ length: count }, (_, n) => ({ n, compaction: { key: "flooder", keeps: 50 } }));
      await Promise.all(flood.map((event) => pair.one.publish("topic", event)));
      expect(numbersOf(await pair.other.log.read("topic", start))).toEqual([]);
      expect(numbersOf(await pair.other.log.read("topic", start, "compacted"))).toEqual([
        -1,
        ...Array.from({ length: 50 }, (_, n) => count - 50 + n),
      ]);
      await Promise.all(Array.from({ length: count }, (_, n) => pair.one.publish("topic", { n: count + n })));
      expect(await pair.other.log.read("topic", start)).toBeUndefined();
      expect(await pair.other.log.read("topic", start, "compacted")).toHaveLength(51);
    });

    test("the compacted part of a log is bounded, and says after which position it is complete", async () => {
      await using pair = await createPair();
      const start = (await pair.one.publish("topic", { n: -1 })).position ?? "";
      const events = Array.from({ length: LOG_MAX_EVENTS + 100 }, (_, n) => ({
        n,
        compaction: { key: `${n}`, keeps: 1 },
      }));
      const results = await Promise.all(events.map((event) => pair.one.publish("topic", event)));
      expect(await pair.other.log.read("topic", start, "compacted")).toBeUndefined();
      const rest = await pair.other.log.read("topic", results[99]?.position ?? "", "compacted");
      expect(numbersOf(rest)).toEqual(Array.from({ length: LOG_MAX_EVENTS }, (_, n) => n + 100));
      expect(numbersOf(await pair.other.log.read("topic", start))).toEqual([]);
    });

    test("a reader that continues from a position misses and repeats nothing", async () => {
      await using pair = await createPair();
      const names = Array.from({ length: 5 }, (_, n) => `topic ${n}`);
      const given: number[] = [];
      for (const topic of names) await pair.one.subscribe(topic, { receive: ({ n }) => void given.push(n) });
      const publishing = (async () => {
        for (let n = 0; n < 300; n++) await pair.other.publish(names[n % 5] ?? "", { n });
      })();
      await expect.poll(() => given.length, { ...PATIENTLY, interval: 1 }).toBeGreaterThan(50);
      // What was given and where everybody stands, in one turn.
      const [before, mark] = [given.slice(), pair.one.log.position(names)];
      await publishing;
      const after = [];
      for (const topic of names) {
        after.push(...((await pair.other.log.read(topic, mark.topics[topic] ?? mark.base)) ?? []));
      }
      const numbers = [...before, ...after.map(({ event }) => event.n)].toSorted((a, b) => a - b);
      expect(numbers).toEqual(Array.from({ length: 300 }, (_, n) => n));
    });
  });

  describe(`fenced state over ${name}`, () => {
    const found = (value: unknown): TakenValue => ({ status: "found", value });
    const NONE: TakenValue = { status: "none" };

    test("a value passes to its taker, and its former owner cannot change it", async () => {
      await using pair = await createPair();
      const [one, other] = [pair.one.fenced, pair.other.fenced];
      expect(await one.take("key", "anna", undefined, LONG_MS, LONG_MS)).toEqual(NONE);
      expect(await one.put("key", "anna", { n: 1 }, LONG_MS, LONG_MS)).toBe(true);
      expect(await one.put("key", "anna", { n: 2 }, LONG_MS, LONG_MS)).toBe(true);
      expect(await other.put("key", "ben", { n: 3 }, LONG_MS, LONG_MS)).toBe(false);
      expect(await other.take("key", "ben", undefined, LONG_MS, LONG_MS)).toEqual(found({ n: 2 }));
      expect(await one.put("key", "anna", { n: 4 }, LONG_MS, LONG_MS)).toBe(false);
      await one.drop("key", "anna");
      expect(await other.put("key", "ben", { n: 5 }, LONG_MS, LONG_MS)).toBe(true);
      expect(await one.take("key", "anna", undefined, LONG_MS, LONG_MS)).toEqual(found({ n: 5 }));
      await one.drop("key", "anna");
      expect(await other.take("key", "ben", undefined, LONG_MS, LONG_MS)).toEqual(NONE);
    });

    test("a key belongs to its taker although there was no value yet", async () => {
      await using pair = await createPair();
      const [one, other] = [pair.one.fenced, pair.other.fenced];
      expect(await one.take("key", "anna", undefined, LONG_MS, LONG_MS)).toEqual(NONE);
      expect(await other.take("key", "ben", undefined, LONG_MS, LONG_MS)).toEqual(NONE);
      expect(await one.put("key", "anna", 1, LONG_MS, LONG_MS)).toBe(false);
      expect(await other.put("key", "ben", 2, LONG_MS, LONG_MS)).toBe(true);
    });

    test("a taker's initial value counts where there is none, and none has expired", async () => {
      await using pair = await createPair();
      const [one, other] = [pair.one.fenced, pair.other.fenced];
      expect(await one.take("key", "anna", 1, LONG_MS, LONG_MS)).toEqual(NONE);
      expect(await other.take("key", "ben", 2, LONG_MS, LONG_MS)).toEqual(found(1));
      expect(await other.put("key", "ben", 3, LONG_MS, LONG_MS)).toBe(true);
      expect(await one.take("key", "anna", 4, LONG_MS, LONG_MS)).toEqual(found(3));
      const takeBrief = async (): Promise<string> => (await one.take("brief", "anna", 1, 20, LONG_MS)).status;
      await expect.poll(takeBrief, { ...PATIENTLY, interval: 60 }).toBe("expired");
      expect(await other.take("brief", "ben", 2, LONG_MS, LONG_MS)).toEqual({ status: "expired" });
    });

    test("values that may wait are each put where nobody else owns them, before anything that is asked later", async () => {
      await using pair = await createPair();
      const [one, other] = [pair.one.fenced, pair.other.fenced];
      await other.take("foreign", "ben", undefined, LONG_MS, LONG_MS);
      const put = ["key", "foreign", "dropped", "key"].map((key, n) => one.put(key, "anna", n, LONG_MS, LONG_MS, true));
      await one.drop("dropped", "anna");
      expect(await Promise.all(put)).toEqual([true, false, true, true]);
      expect(await other.take("dropped", "ben", undefined, LONG_MS, LONG_MS)).toEqual(NONE);
      expect(await other.take("key", "ben", undefined, LONG_MS, LONG_MS)).toEqual(found(3));
      // Without anything else that is asked they are put as well.
      expect(await other.put("key", "ben", 4, LONG_MS, LONG_MS, true)).toBe(true);
      expect(await one.take("key", "anna", undefined, LONG_MS, LONG_MS)).toEqual(found(4));
    });

    test("a value that has expired leaves a tombstone, until another value is put", async () => {
      await using pair = await createPair();
      await pair.one.fenced.put("key", "anna", 1, 20, LONG_MS);
      await expect.poll(() => pair.other.fenced.put("key", "ben", 2, 20, LONG_MS), PATIENTLY).toBe(true);
      const takeExpired = async (): Promise<string> => {
        const taken = await pair.one.fenced.take("key", "carl", undefined, 20, LONG_MS);
        // Found: put back, with the time that it has.
        if (taken.status === "found") await pair.one.fenced.put("key", "carl", taken.value, 20, LONG_MS);
        return taken.status;
      };
      await expect.poll(takeExpired, { ...PATIENTLY, interval: 60 }).toBe("expired");
      expect(await pair.other.fenced.take("key", "dora", undefined, LONG_MS, LONG_MS)).toEqual({ status: "expired" });
      await pair.other.fenced.put("key", "dora", 2, LONG_MS, LONG_MS);
      expect(await pair.one.fenced.take("key", "emil", undefined, LONG_MS, LONG_MS)).toEqual(found(2));
    });

    test("a first value is set where nobody owns the key, and none has expired", async () => {
      await using pair = await createPair();
      const [one, other] = [pair.one.fenced, pair.other.fenced];
      const putFirst = (key: string, value: number): Promise<boolean> =>
        one.putFirst(key, "anna", value, LONG_MS, LONG_MS);
      await expect.poll(() => putFirst("free", 1), PATIENTLY).toBe(true);
      expect(await putFirst("free", 2)).toBe(false);
      expect(await other.take("free", "ben", undefined, LONG_MS, LONG_MS)).toEqual(found(1));
      expect(await other.take("taken", "ben", undefined, LONG_MS, LONG_MS)).toEqual(NONE);
      expect(await putFirst("taken", 3)).toBe(false);
      await other.put("passed", "ben", 4, 20, LONG_MS);
      await expect.poll(() => pair.one.state.claim("waited", 60), PATIENTLY).toBe(true);
      await expect.poll(() => pair.one.state.claim("waited", 60), PATIENTLY).toBe(true);
      expect(await putFirst("passed", 5)).toBe(false);
      expect(await other.take("passed", "carl", undefined, LONG_MS, LONG_MS)).toEqual({ status: "expired" });
    });

    test("a tombstone expires too, and is removed with its value", async () => {
      await using pair = await createPair();
      await pair.one.fenced.put("brief", "anna", 1, 20, 40);
      await pair.one.fenced.put("dropped", "anna", 1, LONG_MS, LONG_MS);
      await pair.one.fenced.drop("dropped", "anna");
      expect(await pair.other.fenced.take("dropped", "ben", undefined, LONG_MS, LONG_MS)).toEqual(NONE);
      await expect.poll(() => pair.one.state.claim("passed", 60), PATIENTLY).toBe(true);
      await expect.poll(() => pair.one.state.claim("passed", 60), PATIENTLY).toBe(true);
      expect(await pair.other.fenced.take("brief", "ben", undefined, LONG_MS, LONG_MS)).toEqual(NONE);
    });

    test("of many who take a value at the same time one owns it", async () => {
      await using pair = await createPair();
      await pair.one.fenced.put("key", "nobody", "value", LONG_MS, LONG_MS);
      const owners = Array.from({ length: 20 }, (_, n) => `owner ${n}`);
      const of = (n: number): Bus<TestEvent>["fenced"] => (n % 2 === 0 ? pair.one : pair.other).fenced;
      const taken = await Promise.all(owners.map((owner, n) => of(n).take("key", owner, undefined, LONG_MS, LONG_MS)));
      expect(taken).toEqual(owners.map(() => found("value")));
      const put = await Promise.all(owners.map((owner, n) => of(n).put("key", owner, owner, LONG_MS, LONG_MS)));
      expect(put.filter(Boolean)).toHaveLength(1);
    });
  });

  describe(`expiring sets over ${name}`, () => {
    test("each has its members, as they were put last, until they are removed", async () => {
      await using pair = await createPair();
      const [one, other] = [pair.one.expiringSets, pair.other.expiringSets];
      await one.put("roster", "anna", { n: 1 }, LONG_MS);
      await other.put("roster", "ben", "é", LONG_MS);
      await other.put("another", "anna", 3, LONG_MS);
      await other.put("roster", "anna", { n: 2 }, LONG_MS);
      const [first, second, none] = await one.list(["roster", "another", "nobody's"]);
      expect(first).toHaveLength(2);
      expect(first).toEqual(expect.arrayContaining([{ n: 2 }, "é"]));
      expect([second, none]).toEqual([[3], []]);
      await one.remove("roster", "ben");
      await one.remove("roster", "nobody");
      expect(await other.list(["roster", "roster"])).toEqual([[{ n: 2 }], [{ n: 2 }]]);
      expect(await other.list([])).toEqual([]);
    });

    test("a member expires after its own time, and one that is put again stays", async () => {
      await using pair = await createPair();
      const { expiringSets: rosters } = pair.one;
      await rosters.put("roster", "brief", 1, 20);
      await rosters.put("roster", "prolonged", 2, 20);
      await rosters.put("roster", "prolonged", 2, LONG_MS);
      await rosters.put("roster", "brief too", 3, 20);
      await expect.poll(async () => (await pair.other.expiringSets.list(["roster"]))[0], PATIENTLY).toEqual([2]);
    });
  });

  describe(`rate limits over ${name}`, () => {
    test("count over all handles, for each key", async () => {
      await using pair = await createPair();
      const rate = { count: 3, windowMs: LONG_MS };
      const [one, other] = [pair.one.limiter(rate), pair.other.limiter(rate)];
      // Whether or not they count together is up to whether they are one limiter.
      const isShared = pair.one !== pair.other;
      expect([await one("anna"), await one("anna"), await (isShared ? other : one)("anna")]).toEqual([0, 0, 0]);
      const waitMs = await (isShared ? other : one)("anna");
      expect(waitMs).toBeGreaterThan(0);
      expect(waitMs).toBeLessThanOrEqual(LONG_MS);
      expect(await one("ben")).toBe(0);
    });

    test("allow more when the window has passed", async () => {
      await using pair = await createPair();
      const limiter = pair.one.limiter({ count: 1, windowMs: 100 });
      for (let window = 0; window < 3; window++) await expect.poll(() => limiter("anna"), PATIENTLY).toBe(0);
    });
  });

  describe(`a bus over ${name} that is in order`, () => {
    test("is connected, and has nothing to complain of", async () => {
      await using pair = await createPair();
      expect(pair.one.isConnected).toBe(true);
      expect(pair.one.statistics).toEqual({ undecodable: 0, queued: 0, dropped: 0, outages: 0 });
      const stop = pair.one.observe({ restored: () => expect.fail("it was never away") });
      stop();
      stop();
    });

    test("takes nothing once it is closed", async () => {
      await using pair = await createPair();
      await pair.one.close();
      await expect(pair.one.publish("topic", { n: 1 })).rejects.toThrow("closed");
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

    test("all who agree on a value get the same one", async () => {
      await using pair = await createPair();
      const answers = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? pair.one : pair.other).state.agree("key", n));
      const [first, ...others] = await Promise.all(answers);
      expect(new Set(others)).toEqual(new Set([first]));
      expect(await pair.other.state.agree("key", "late")).toBe(first);
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

    test("a claim that is given back can be made again, and a value that is released is gone", async () => {
      await using pair = await createPair();
      expect(await pair.one.state.claim("key", LONG_MS)).toBe(true);
      await pair.other.state.release("key");
      expect(await pair.other.state.claim("key", LONG_MS)).toBe(true);
      await pair.one.state.set("value", 1, LONG_MS);
      await pair.one.state.release("value");
      expect(await pair.other.state.get("value")).toBeUndefined();
      await pair.one.state.release("never there");
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

    test("states are read in the order asked for; strangers are offline", async () => {
      await using pair = await createPair();
      await pair.one.presence.enter(anna, "lease 1");
      await pair.one.presence.enter(ben, "lease 2");
      await pair.one.presence.leave("ben", "lease 2");
      // A Cluster that has just come about is not known to have everything yet.
      await expect.poll(async () => pair.one.presence.settle("ben")).toBe(true);
      const away = { online: false, lastSeenAt: expect.any(String) };
      const online = { online: true, lastSeenAt: undefined };
      const unknown = { online: false, lastSeenAt: undefined };
      expect(await pair.other.presence.read(["zoe", "ben", "anna", "ben"])).toEqual([unknown, away, online, away]);
      expect(await pair.other.presence.read([])).toEqual([]);
    });
  });
}
