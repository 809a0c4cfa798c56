/** Whatever happens to connections and instances, in whatever order: each subscription gets what a simple model says, in order. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createMemoryBackplane } from "../support/backplane.ts";
import { CHATS, READERS, SLOTS, World, type Followed, type Reader, type Subject } from "../support/resume-world.ts";

/** The world is its own model: it writes down what each subscription is to have. */
type Command = fc.AsyncCommand<object, World>;

function command(
  name: string,
  run: (world: World) => Promise<void> | void,
  check?: (world: World) => boolean,
): Command {
  let world: World | undefined;
  return {
    // Commands that make no sense in a state do nothing there.
    check: () => true,
    async run(_model, real) {
      world = real;
      if (check?.(real) ?? true) await run(real);
      for (const reader of real.readers) for (const followed of reader.running) expectPrefix(followed);
    },
    toString: () => (world ? name : `(${name})`),
  };
}

/** Chat by chat, what has come so far is the beginning of what is to come; each event first where it belongs. */
function expectPrefix({ transcript, expected }: Followed): void {
  expect(transcript.ended, "a subscription ends when its client says so").toBeUndefined();
  for (const [index, chatId] of CHATS.entries()) {
    const had = transcript.distinct.filter((word) => word.startsWith(`${index}:`));
    const wanted = expected.get(chatId) ?? [];
    // What is being sent right now may be there before its sender knows.
    expect(had).toEqual(wanted.slice(0, had.length));
  }
}

/** Everything is there, in order, and nothing came again more often than the client came back. */
async function expectWhole(reader: Reader, followed: Followed): Promise<void> {
  await followed.transcript.has(...[...followed.expected.values()].flat());
  expectPrefix(followed);
  const times = new Map<string, number>();
  for (const word of followed.transcript.all) times.set(word, (times.get(word) ?? 0) + 1);
  expect(Math.max(0, ...times.values())).toBeLessThanOrEqual(reader.connects);
}

/** Takes every fault back, and waits until everybody has everything. */
async function settle(world: World): Promise<void> {
  for (const reader of world.readers) {
    reader.relay.throttle(Infinity);
    thaw(reader);
  }
  for (const chatId of CHATS) {
    await world.send(0, chatId);
    await world.read(1, chatId);
  }
  await Promise.all(
    world.readers.flatMap((reader) => [...reader.running].map((followed) => expectWhole(reader, followed))),
  );
}

function thaw(reader: Reader): void {
  reader.isFrozen = false;
  reader.relay.thaw();
}

const slot = fc.nat(SLOTS - 1);
const chatId = fc.constantFrom(...CHATS);
const reader = fc.nat(READERS.length - 1);
const subject: fc.Arbitrary<Subject> = fc.record({
  type: fc.constantFrom("messages", "receipts"),
  chatId: fc.option(chatId, { nil: undefined }),
});

function ofReader(name: string, run: (world: World, who: Reader) => Promise<void> | void): fc.Arbitrary<Command> {
  return reader.map((index) =>
    command(`${name} ${index}`, async (world) => {
      const who = world.readers[index];
      if (who) await run(world, who);
    }),
  );
}

const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(slot, chatId).map(([at, to]) => command(`send at ${at} to ${to}`, (world) => world.send(at, to))),
  fc.tuple(slot, chatId).map(([at, to]) => command(`send at ${at} to ${to}`, (world) => world.send(at, to))),
  fc.tuple(slot, chatId).map(([at, of]) => command(`read at ${at} of ${of}`, (world) => world.read(at, of))),
  ofReader("cut", (_world, { relay }) => relay.cut()),
  ofReader("freeze", (_world, who) => {
    who.isFrozen = true;
    who.relay.freeze();
  }),
  ofReader("lose what is frozen", (_world, who) => {
    who.relay.cut();
    thaw(who);
  }),
  ofReader("thaw", (_world, who) => thaw(who)),
  ofReader("slow down", (_world, { relay }) => relay.throttle(40_000)),
  ofReader("speed up", (_world, { relay }) => relay.throttle(Infinity)),
  fc.tuple(reader, slot).map(([index, to]) =>
    command(`redirect ${index} to ${to}`, (world) => {
      const who = world.readers[index];
      if (!who) return;
      world.redirect(who, to);
      who.relay.cut();
    }),
  ),
  fc.tuple(reader, subject, fc.option(fc.nat(20), { nil: undefined })).map(([index, to, after]) =>
    command(`subscribe ${index} to ${JSON.stringify(to)} after ${after}`, async (world) => {
      const who = world.readers[index];
      // A frozen client cannot know when its subscription stands.
      if (who && !who.isFrozen && who.running.size < 6) {
        await world.subscribe(who, to, to.type === "messages" ? after : undefined);
      }
    }),
  ),
  ofReader("complete the oldest of", ({ readers: _readers }, who) => {
    const [oldest] = who.running;
    if (!oldest || who.running.size < 2) return;
    expectPrefix(oldest);
    who.running.delete(oldest);
    oldest.stop();
  }),
  slot.map((at) => command(`replace ${at}`, (world) => world.replace(at))),
  fc.constant(command("settle", settle)),
];

test("nothing is missing, nothing out of order, nothing again more often than a client came back", async () => {
  let events = 0;
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: "max" }), async (sequence) => {
      await using world = await World.start(createMemoryBackplane);
      for (const who of world.readers) {
        for (const type of ["messages", "receipts"] as const) {
          await world.subscribe(who, { type, chatId: undefined }, undefined);
        }
      }
      await fc.asyncModelRun(() => ({ model: {}, real: world }), sequence);
      await settle(world);
      events += world.sent;
    }),
    { seed: 20_260_131, numRuns: 8, endOnFailure: true },
  );
  expect(events).toBeGreaterThan(50);
});
