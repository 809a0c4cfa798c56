/** The handover from a log to live events: nothing lost, nothing twice, in order. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CatchUp, type CatchUpEntry, type Past } from "../../src/bus/catch-up.ts";
import { positionAt, type Position } from "../../src/bus/position.ts";

const TOPICS = ["a", "b", "c"] as const;
type Topic = (typeof TOPICS)[number];

/** Before everything in a log: the reader is given the history. */
const BEFORE_THE_LOG: Position = "";

interface Entry extends CatchUpEntry {
  readonly name: string;
}

function logged(topic: string, n: number): Entry {
  const position = positionAt(n, 0);
  return { topic, name: `${topic}${n}`, position, order: position };
}

/** An entry that no log has. */
function unlogged(topic: string, n: number): Entry {
  return { ...logged(topic, n), position: undefined };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Read {
  readonly topic: string;
  readonly after: Position;
  readonly seen: Position | undefined;
  readonly resolve: (past: Past<Entry>) => void;
  readonly reject: (error: Error) => void;
}

/** A reader whose reads are answered by the test, and that has room for so many entries. */
class Reader {
  readonly delivered: string[] = [];
  readonly reads: Read[] = [];
  room = Infinity;
  timesCaughtUp = 0;
  readonly catchUp: CatchUp<Entry>;

  /** @param onRead is called with each read, before it is answered. */
  constructor(onRead?: (read: Read) => void) {
    this.catchUp = new CatchUp<Entry>({
      isFull: () => this.room === 0,
      read: (topic, after, seen) =>
        new Promise((resolve, reject) => {
          const read = { topic, after, seen, resolve, reject };
          this.reads.push(read);
          onRead?.(read);
        }),
      deliver: (entry) => this.take(entry),
      onCaughtUp: () => this.timesCaughtUp++,
    });
  }

  take({ name }: Entry): void {
    if (this.room === 0) throw new Error("the reader is full");
    this.room--;
    this.delivered.push(name);
  }

  /** A live event, as a stream takes it. @returns whether it was delivered at once. */
  live(entry: Entry & { readonly position: Position }): boolean {
    const isDelivered = this.catchUp.admit(entry.topic, entry.position, this.room > 0);
    if (isDelivered) this.take(entry);
    return isDelivered;
  }

  /** Answers the oldest read that is not answered yet; it has to be one of that topic. */
  answer(topic: string, entries: readonly Entry[], readTo = entries.at(-1)?.position ?? ""): void {
    this.#nextRead(topic).resolve({ entries, readTo });
  }

  fail(topic: string, error: Error): void {
    this.#nextRead(topic).reject(error);
  }

  #nextRead(topic: string): Read {
    const index = this.reads.findIndex((read) => read.topic === topic);
    const [read] = index === -1 ? [] : this.reads.splice(index, 1);
    if (!read) throw new Error(`${topic} is not being read`);
    return read;
  }
}

type Step =
  | { readonly do: "publish"; readonly topic: Topic }
  | { readonly do: "arrive" }
  | { readonly do: "run" }
  | { readonly do: "turn" }
  | { readonly do: "answer"; readonly which: number }
  | { readonly do: "fail"; readonly which: number }
  | { readonly do: "room"; readonly count: number };

interface Start {
  /** Where the reader begins: at the end of the log, at its beginning, or before it. */
  readonly from: "live" | "log" | "history";
  /** Entries that the log has already. */
  readonly published: number;
  /** Older entries that only the history has. */
  readonly old: number;
}

const anyTopic = fc.constantFrom(...TOPICS);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: anyTopic.map((of) => ({ do: "publish", topic: of }) as const) },
  { weight: 6, arbitrary: fc.constantFrom("arrive", "run", "turn", "turn").map((what) => ({ do: what }) as const) },
  { weight: 4, arbitrary: fc.nat(5).map((which) => ({ do: "answer", which }) as const) },
  { weight: 1, arbitrary: fc.nat(5).map((which) => ({ do: "fail", which }) as const) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4 }).map((count) => ({ do: "room", count }) as const) },
);
const anyStart: fc.Arbitrary<Start> = fc.record({
  from: fc.constantFrom("live", "log", "history"),
  published: fc.nat(4),
  old: fc.nat(3),
});

/** A log of several topics, its one reader, and what the reader has to be given. */
class World {
  readonly reader: Reader;
  /** Live events reach the reader in the turn of their publication, and reads say how the log was when they were asked. */
  readonly isPrompt: boolean;
  readonly #logs = new Map<string, (Entry & { readonly position: Position })[]>(TOPICS.map((of) => [of, []]));
  readonly #history = new Map<string, Entry[]>(TOPICS.map((of) => [of, []]));
  /** Published, and not seen by the reader yet. */
  readonly #underWay: (Entry & { readonly position: Position })[] = [];
  /** What the reader has to be given. */
  readonly expected: Entry[] = [];
  /** What the log had when it was asked, where that is not when it answers. */
  readonly #snapshots = new Map<Read, Past<Entry>>();
  #needsRun = false;
  #tick = 1000;

  constructor(isPrompt: boolean, starts: Readonly<Record<Topic, Start>>) {
    this.isPrompt = isPrompt;
    this.reader = new Reader((read) => isPrompt && this.#snapshots.set(read, this.#past(read)));
    this.reader.room = 0;
    for (const of of TOPICS) {
      this.#history.set(
        of,
        range(1, starts[of].old).map(() => unlogged(of, ++this.#tick)),
      );
    }
    for (const of of TOPICS) for (let n = 0; n < starts[of].published; n++) this.#append(of);
    for (const of of TOPICS) {
      const { from } = starts[of];
      if (from === "live") continue;
      if (from === "history") this.expected.push(...(this.#history.get(of) ?? []));
      this.expected.push(...(this.#logs.get(of) ?? []));
      this.reader.catchUp.start(of, from === "history" ? BEFORE_THE_LOG : positionAt(0, 0));
    }
    this.#run();
  }

  #append(of: string): Entry & { readonly position: Position } {
    const entry = logged(of, ++this.#tick) as Entry & { readonly position: Position };
    this.#logs.get(of)?.push(entry);
    return entry;
  }

  #past({ topic: of, after }: Read): Past<Entry> {
    const log = this.#logs.get(of) ?? [];
    const readTo = log.at(-1)?.position ?? positionAt(0, 0);
    if (after !== BEFORE_THE_LOG) return { entries: log.filter(({ position }) => position > after), readTo };
    return {
      entries: [...(this.#history.get(of) ?? []), ...log.map((entry) => ({ ...entry, position: undefined }))],
      readTo,
    };
  }

  #run(): void {
    this.#needsRun = false;
    this.reader.catchUp.run().catch(() => (this.#needsRun = true));
  }

  #arrive(): void {
    const entry = this.#underWay.shift();
    if (entry && !this.reader.live(entry) && this.reader.room > 0) this.#run();
  }

  async do(action: Step): Promise<void> {
    const { reader } = this;
    if (action.do === "publish") {
      const entry = this.#append(action.topic);
      this.expected.push(entry);
      this.#underWay.push(entry);
      if (this.isPrompt) this.#arrive();
    } else if (action.do === "arrive") this.#arrive();
    else if (action.do === "run") this.#run();
    else if (action.do === "turn") await nextTurn();
    else if (action.do === "room") {
      reader.room += action.count;
      this.#run();
    } else {
      const read = reader.reads[action.which % Math.max(1, reader.reads.length)];
      if (read) reader.reads.splice(reader.reads.indexOf(read), 1);
      if (action.do === "fail") read?.reject(new Error("it cannot be read now"));
      else if (read) read.resolve(this.#snapshots.get(read) ?? this.#past(read));
    }
  }

  /** The reader takes everything from now on. Resolves when it has caught up. */
  async finish(): Promise<void> {
    const { reader } = this;
    reader.room = Infinity;
    while (this.#underWay.length > 0 || reader.reads.length > 0 || this.#needsRun || reader.catchUp.isBehind) {
      await this.do({ do: "arrive" });
      await this.do({ do: "answer", which: 0 });
      await this.do({ do: "turn" });
      if (reader.reads.length === 0) await this.do({ do: "run" });
    }
  }
}

function namesOf(entries: readonly Entry[]): readonly string[] {
  return entries.map(({ name }) => name);
}

/** Everything up to a position has been delivered, and nothing after it. */
function expectPositions({ reader, expected }: World): void {
  for (const [topic, after] of reader.catchUp.positions() ?? []) {
    const isBefore = ({ position }: Entry): boolean =>
      position === undefined ? after !== BEFORE_THE_LOG : position <= after;
    const ofTopic = expected.filter((entry) => entry.topic === topic);
    const delivered = reader.delivered.filter((name) => namesOf(ofTopic).includes(name));
    expect(delivered).toEqual(namesOf(ofTopic.filter(isBefore)));
  }
}

/** Once, and in one order over all topics, unless live events come late: then in that of each topic. */
function expectDelivered({ reader, expected, isPrompt }: World): void {
  const inOrder = expected.toSorted((a, b) => (a.order < b.order ? -1 : 1));
  const groups = isPrompt ? [TOPICS] : TOPICS.map((topic) => [topic]);
  for (const topics of groups) {
    const isOfGroup = (name: string): boolean => topics.some((topic) => name.startsWith(topic));
    expect(reader.delivered.filter(isOfGroup)).toEqual(namesOf(inOrder).filter(isOfGroup));
  }
}

describe("whatever is published, read and taken when", () => {
  test.each([
    ["of all topics is delivered once, in one order", true],
    ["of each topic is delivered once, in order, where live events come late", false],
  ])("everything %s", async (_what, isPrompt) => {
    const starts = fc.record({ a: anyStart, b: anyStart, c: anyStart });
    await fc.assert(
      fc.asyncProperty(starts, fc.array(anyStep, { minLength: 5, maxLength: 60 }), async (from, steps) => {
        const world = new World(isPrompt, from);
        for (const action of steps) {
          await world.do(action);
          expectPositions(world);
        }
        await world.finish();
        expectDelivered(world);
        expect(world.reader.catchUp.isBehind).toBe(false);
      }),
      { numRuns: 300, seed: 20_260_131 },
    );
  });
});

test("a reader that is behind in hundreds of topics reads 64 of them at a time, and delivers in order", async () => {
  const reader = new Reader();
  const topics = range(1, 200).map(String);
  for (const topic of topics) reader.catchUp.start(topic, positionAt(0, 0));
  const running = reader.catchUp.run();
  const most: number[] = [];
  while (reader.reads.length > 0) {
    most.push(reader.reads.length);
    for (const topic of reader.reads.map((read) => read.topic)) reader.answer(topic, [logged(topic, Number(topic))]);
    await nextTurn();
  }
  await running;
  expect(most).toEqual([64, 64, 64, 8]);
  expect(reader.delivered).toEqual(topics.map((topic) => `${topic}${topic}`));
});

test("a reader of which one of hundreds of topics cannot be read begins to read no other", async () => {
  const reader = new Reader();
  for (const topic of range(1, 200)) reader.catchUp.start(String(topic), positionAt(0, 0));
  const running = reader.catchUp.run();
  reader.reads[0]?.reject(new Error("unreadable"));
  for (const { topic, resolve } of reader.reads.slice(1))
    resolve({ entries: [], readTo: positionAt(Number(topic), 0) });
  await expect(running).rejects.toThrow("unreadable");
  expect(reader.reads.length).toBe(64);
});

describe("a reader that is live", () => {
  test("gets live events at once, and nothing is read for it", () => {
    const reader = new Reader();
    expect(reader.live({ ...logged("a", 1), position: positionAt(1, 0) })).toBe(true);
    expect([reader.delivered, reader.reads, reader.catchUp.isBehind]).toEqual([["a1"], [], false]);
  });

  test("that is full at a live event gets it from the log, from just before it", async () => {
    const reader = new Reader();
    reader.room = 0;
    expect(reader.live({ ...logged("a", 7), position: positionAt(7, 0) })).toBe(false);
    reader.room = Infinity;
    const running = reader.catchUp.run();
    const [read] = reader.reads;
    expect(read?.after).toBe(reader.catchUp.positions()?.get("a"));
    expect(read?.after && read.after > positionAt(6, 0) && read.after < positionAt(7, 0)).toBe(true);
    expect(read?.seen).toBe(positionAt(7, 0));
    reader.answer("a", [logged("a", 7)]);
    await running;
    expect([reader.delivered, reader.timesCaughtUp, reader.catchUp.isBehind]).toEqual([["a7"], 1, false]);
  });

  test("is not given a live event that it has read already", async () => {
    const reader = new Reader();
    reader.catchUp.start("a", positionAt(0, 0));
    const running = reader.catchUp.run();
    reader.answer("a", [logged("a", 1), logged("a", 2)]);
    await running;
    for (const n of range(1, 3)) reader.live({ ...logged("a", n), position: positionAt(n, 0) });
    expect(reader.delivered).toEqual(["a1", "a2", "a3"]);
  });

  test("remembers nothing any more after the first live event of each topic", async () => {
    const reader = new Reader();
    reader.catchUp.start("a", positionAt(0, 0));
    expect(reader.catchUp.isIdle).toBe(false);
    const running = reader.catchUp.run();
    reader.answer("a", [logged("a", 1)]);
    await running;
    expect(reader.catchUp.isIdle).toBe(false);
    reader.live({ ...logged("a", 2), position: positionAt(2, 0) });
    expect(reader.catchUp.isIdle).toBe(true);
  });
});

describe("a reader that is behind", () => {
  test("does not get a live event of another topic before it has caught up", async () => {
    const reader = new Reader();
    reader.catchUp.start("a", positionAt(0, 0));
    const running = reader.catchUp.run();
    expect(reader.live({ ...logged("b", 2), position: positionAt(2, 0) })).toBe(false);
    reader.answer("a", [logged("a", 1)]);
    await nextTurn();
    reader.answer("b", [logged("b", 2)]);
    await running;
    expect([reader.delivered, reader.timesCaughtUp]).toEqual([["a1", "b2"], 1]);
  });

  test("reads again what was published while it read", async () => {
    const reader = new Reader();
    reader.catchUp.start("a", positionAt(0, 0));
    const running = reader.catchUp.run();
    reader.live({ ...logged("a", 2), position: positionAt(2, 0) });
    reader.answer("a", [logged("a", 1)]);
    await nextTurn();
    expect(reader.reads).toMatchObject([{ after: positionAt(1, 0), seen: positionAt(2, 0) }]);
    reader.answer("a", [logged("a", 2)]);
    await running;
    expect(reader.delivered).toEqual(["a1", "a2"]);
  });

  test("that is asked to run again while it runs reads and delivers once", async () => {
    const reader = new Reader();
    reader.catchUp.start("a", positionAt(0, 0));
    const runs = [reader.catchUp.run(), reader.catchUp.run()];
    reader.answer("a", [logged("a", 1)]);
    await Promise.all([...runs, reader.catchUp.run()]);
    expect([reader.delivered, reader.reads, reader.timesCaughtUp]).toEqual([["a1"], [], 1]);
  });

  test("that becomes full in the middle continues there, without reading again", async () => {
    const reader = new Reader();
    reader.room = 2;
    reader.catchUp.start("a", positionAt(0, 0));
    const running = reader.catchUp.run();
    reader.answer(
      "a",
      range(1, 3).map((n) => logged("a", n)),
    );
    await running;
    expect([reader.delivered, reader.timesCaughtUp]).toEqual([["a1", "a2"], 0]);
    expect(reader.catchUp.positions()).toEqual(new Map([["a", positionAt(2, 0)]]));
    reader.room = 1;
    await reader.catchUp.run();
    expect([reader.delivered, reader.timesCaughtUp]).toEqual([["a1", "a2", "a3"], 1]);
  });

  test("goes on where it has room again in the very turn in which it stopped", async () => {
    const reader = new Reader();
    reader.room = 0;
    reader.catchUp.start("a", positionAt(0, 0));
    const stopped = reader.catchUp.run();
    reader.room = 1;
    const running = reader.catchUp.run();
    await nextTurn();
    expect(reader.reads).toHaveLength(1);
    reader.answer("a", [logged("a", 1)]);
    await Promise.all([stopped, running]);
    expect(reader.delivered).toEqual(["a1"]);
  });

  test("keeps the order of a topic's entries that are of the same instant", async () => {
    const reader = new Reader();
    reader.catchUp.start("a", BEFORE_THE_LOG);
    const running = reader.catchUp.run();
    const order = positionAt(1, 0);
    const entries = ["first", "second", "third"].map((name) => ({ topic: "a", name, position: undefined, order }));
    reader.answer("a", entries, order);
    await running;
    expect(reader.delivered).toEqual(["first", "second", "third"]);
  });

  test("is at no position while it has some of the entries that no log has", async () => {
    const reader = new Reader();
    reader.room = 1;
    reader.catchUp.start("a", BEFORE_THE_LOG);
    expect(reader.catchUp.positions()).toEqual(new Map([["a", BEFORE_THE_LOG]]));
    const running = reader.catchUp.run();
    reader.answer("a", [unlogged("a", 1), unlogged("a", 2)], positionAt(9, 0));
    await running;
    expect(reader.catchUp.positions()).toBeUndefined();
    reader.room = 1;
    await reader.catchUp.run();
    expect([reader.delivered, reader.catchUp.positions()]).toEqual([["a1", "a2"], new Map()]);
  });
});

describe("more entries than are kept", () => {
  test("are read again from where the kept ones end", async () => {
    const reader = new Reader();
    const log = range(1, 2500).map((n) => logged("a", n));
    reader.catchUp.start("a", positionAt(0, 0));
    const running = reader.catchUp.run();
    const readFrom: string[] = [];
    for (const from of [0, 1000, 2000]) {
      readFrom.push(reader.reads[0]?.after ?? "");
      reader.answer("a", log.slice(from));
      await nextTurn();
    }
    await running;
    expect(readFrom).toEqual([0, 1000, 2000].map((n) => positionAt(n, 0)));
    expect(reader.delivered).toEqual(log.map(({ name }) => name));
    expect(reader.timesCaughtUp).toBe(1);
  });

  test("of several topics are delivered in one order", async () => {
    const reader = new Reader();
    reader.room = 0;
    const all = range(1, 2400).map((n) => logged(n % 3 === 0 ? "b" : "a", n));
    for (const topic of ["a", "b"]) reader.catchUp.start(topic, positionAt(0, 0));
    while (reader.catchUp.isBehind) {
      reader.room = 700;
      const running = reader.catchUp.run();
      // Answers all reads of one step, for as many steps as there are until the reader is full.
      for (let turn = 0; turn < 3; turn++) {
        for (const { topic, after, resolve } of reader.reads.splice(0)) {
          const entries = all.filter((entry) => entry.topic === topic);
          resolve({ entries: entries.filter(({ order }) => order > after), readTo: entries.at(-1)?.position ?? "" });
        }
        await nextTurn();
      }
      await running;
    }
    expect(reader.delivered).toEqual(all.map(({ name }) => name));
  });

  test("are all kept where no log has them", async () => {
    const reader = new Reader();
    reader.room = 1200;
    const history = range(1, 1500).map((n) => unlogged("a", n));
    reader.catchUp.start("a", BEFORE_THE_LOG);
    const running = reader.catchUp.run();
    reader.answer("a", history, positionAt(2000, 0));
    await running;
    reader.room = Infinity;
    await reader.catchUp.run();
    expect(reader.delivered).toEqual(history.map(({ name }) => name));
    expect([reader.reads, reader.timesCaughtUp]).toEqual([[], 1]);
  });
});

describe("a topic that the reader does not want any more", () => {
  test("is dropped from what was read, and the others are delivered", async () => {
    const reader = new Reader();
    reader.room = 1;
    for (const topic of ["a", "b"]) reader.catchUp.start(topic, positionAt(0, 0));
    const running = reader.catchUp.run();
    reader.answer("a", [logged("a", 1), logged("a", 3)]);
    reader.answer("b", [logged("b", 2), logged("b", 4)]);
    await running;
    reader.catchUp.forget("a");
    reader.room = Infinity;
    await reader.catchUp.run();
    expect([reader.delivered, reader.timesCaughtUp]).toEqual([["a1", "b2", "b4"], 1]);
  });

  test("is not delivered where it is being read at that moment", async () => {
    const reader = new Reader();
    for (const topic of ["a", "b"]) reader.catchUp.start(topic, positionAt(0, 0));
    const running = reader.catchUp.run();
    reader.catchUp.forget("a");
    reader.answer("a", [logged("a", 1)]);
    reader.answer("b", [logged("b", 2)]);
    await running;
    expect([reader.delivered, reader.catchUp.isBehind]).toEqual([["b2"], false]);
  });

  test("is live again with its next event, even one that was read before", async () => {
    const reader = new Reader();
    reader.catchUp.start("a", positionAt(0, 0));
    const running = reader.catchUp.run();
    reader.answer("a", [logged("a", 1)]);
    await running;
    reader.catchUp.forget("a");
    expect(reader.catchUp.isIdle).toBe(true);
    expect(reader.live({ ...logged("a", 2), position: positionAt(2, 0) })).toBe(true);
  });

  test("does not end the run with an error where it cannot be read", async () => {
    const reader = new Reader();
    for (const topic of ["a", "b"]) reader.catchUp.start(topic, positionAt(0, 0));
    const running = reader.catchUp.run();
    reader.catchUp.forget("a");
    reader.fail("a", new Error("not a member"));
    reader.answer("b", [logged("b", 2)]);
    await expect(running).resolves.toBeUndefined();
    expect(reader.delivered).toEqual(["b2"]);
  });
});

describe("a read that fails", () => {
  test("rejects the run, and the next run reads from the same position", async () => {
    const reader = new Reader();
    reader.catchUp.start("a", positionAt(3, 0));
    const running = reader.catchUp.run();
    const error = new Error("it cannot be read now");
    reader.fail("a", error);
    await expect(running).rejects.toBe(error);
    expect(reader.catchUp.isBehind).toBe(true);
    const again = reader.catchUp.run();
    expect(reader.reads).toMatchObject([{ topic: "a", after: positionAt(3, 0) }]);
    reader.answer("a", [logged("a", 4)]);
    await again;
    expect([reader.delivered, reader.timesCaughtUp]).toEqual([["a4"], 1]);
  });

  test("of one topic delivers nothing of the others twice", async () => {
    const reader = new Reader();
    for (const topic of ["a", "b"]) reader.catchUp.start(topic, positionAt(0, 0));
    const running = reader.catchUp.run();
    reader.answer("a", [logged("a", 1)]);
    reader.fail("b", new Error("it cannot be read now"));
    await expect(running).rejects.toThrow("it cannot be read now");
    expect(reader.delivered).toEqual([]);
    const again = reader.catchUp.run();
    reader.answer("a", [logged("a", 1)]);
    reader.answer("b", [logged("b", 2)]);
    await again;
    expect(reader.delivered).toEqual(["a1", "b2"]);
  });

  test("ends the run when the others have been read as well, and nothing of those is taken for a later run's", async () => {
    const reader = new Reader();
    const log = range(1, 1200).map((n) => logged("a", n));
    for (const topic of ["a", "b"]) reader.catchUp.start(topic, positionAt(0, 0));
    let hasFailed = false;
    const failed = reader.catchUp.run().finally(() => (hasFailed = true));
    reader.fail("b", new Error("it cannot be read now"));
    await nextTurn();
    expect(hasFailed).toBe(false);
    reader.answer("a", log);
    await expect(failed).rejects.toThrow("it cannot be read now");
    expect(reader.delivered).toEqual([]);
    reader.room = 10;
    const running = reader.catchUp.run();
    reader.answer("a", log);
    reader.answer("b", [logged("b", 0)]);
    await running;
    reader.room = Infinity;
    const rest = reader.catchUp.run();
    await nextTurn();
    for (const { after, resolve } of reader.reads.splice(0)) {
      resolve({ entries: log.filter(({ order }) => order > after), readTo: positionAt(1200, 0) });
    }
    await rest;
    expect(reader.delivered.filter((name) => name.startsWith("a"))).toEqual(log.map(({ name }) => name));
  });
});
