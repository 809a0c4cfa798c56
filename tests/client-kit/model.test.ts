/**
 * The kit against a model: whatever happens to connections, gateway, session and page, in any order, both people end up with every
 * message once, in order, with true ticks and a true list of chats. `KIT_RUNS=200 npx vitest run --project memory tests/client-kit/model.test.ts` tries others.
 */
import * as fc from "fast-check";
import type { Room } from "graphql-chat-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { openKit, until, WindowEvents, type KitClient } from "./kit.ts";
import { startWorld, type World } from "./world.ts";

const [alice, bob] = DEMO_USERS;

const SUITE_RUNS = 4;
const RUNS = Number(process.env["KIT_RUNS"] ?? SUITE_RUNS);

const EVENTS = [
  "send",
  "send",
  "send",
  "cut",
  "freeze",
  "thaw",
  "restart",
  "expire",
  "read",
  "reload",
  "older",
  "wake",
  "turn",
] as const;

/** What happens, and to which of the two. */
const event = fc.record({ what: fc.constantFrom(...EVENTS), who: fc.constantFrom(0, 1) });

type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

/** One of the two: a page that can be loaded again, with what it has sent. */
class Person {
  readonly sent: string[] = [];
  /** What was wrong with something that was shown. */
  readonly faults: string[] = [];
  readonly user: (typeof DEMO_USERS)[number];
  room: Room;
  #client: KitClient;
  readonly #world: World;
  readonly #chatId: string;
  readonly #stored = new Map<string, string>();

  constructor(world: World, user: (typeof DEMO_USERS)[number], chatId: string) {
    this.#world = world;
    this.user = user;
    this.#chatId = chatId;
    [this.#client, this.room] = this.#open();
  }

  #open(): [KitClient, Room] {
    const client = openKit({
      url: this.#world.relay.url,
      token: () => this.#world.api.data.issueToken(this.user.id),
      storage: {
        getItem: (key) => this.#stored.get(key) ?? null,
        setItem: (key, value) => void this.#stored.set(key, value),
      },
    });
    const room = client.room(this.#chatId);
    let before: readonly string[] = [];
    room.messages.subscribe(() => {
      const { items } = room.messages.get();
      const texts = items.map(({ text }) => text);
      if (new Set(texts).size < texts.length) this.faults.push(`twice: ${texts.join()}`);
      if (new Set(items.map(({ key }) => key)).size < items.length) this.faults.push("a key twice");
      const persisted = items.filter(({ state }) => state === "sent").map(({ text }) => text);
      const kept = persisted.filter((text) => before.includes(text));
      if (kept.join() !== before.join()) this.faults.push(`${before.join()} became ${persisted.join()}`);
      before = persisted;
    });
    return [client, room];
  }

  send(): void {
    this.sent.push(`${this.user.name[0]}${this.sent.length}`);
    this.room.send(this.sent.at(-1) ?? "");
  }

  /** What is written before the first connection is not stored yet: nobody knows whose it is. */
  async reload(): Promise<void> {
    if (this.#client.connection.get().status === "connecting") return;
    await this.close();
    [this.#client, this.room] = this.#open();
  }

  /** The session goes on with a token that expires at once. */
  expire(): void {
    const token = this.#world.api.data.issueToken(this.user.id, { expiresAt: new Date(Date.now() + 100) });
    const query = "mutation ($token: String!) { refreshToken(token: $token) { id } }";
    this.#client.graphql.subscribe(
      { query, variables: { token } },
      { next: () => undefined, error: () => undefined, complete: () => undefined },
    );
  }

  /** Resolves when everything is sent and the connection is live. */
  async settled(): Promise<void> {
    await until(this.room.messages, ({ items, loading }) => {
      for (const { key, state } of items) if (state === "failed") this.room.retry(key);
      return !loading && items.every(({ state, id }) => state === "sent" && id !== undefined);
    });
    await until(this.#client.connection, ({ status }) => status === "live");
    while (this.room.messages.get().hasOlder) await this.room.loadOlder();
  }

  /** Resolves when the list of chats shows the chat as read, with its newest message. */
  async listed(text: string): Promise<void> {
    await until(this.#client.inbox, ({ chats }) =>
      chats.some(
        ({ id, unreadCount, lastMessage }) => id === this.#chatId && unreadCount === 0 && lastMessage?.text === text,
      ),
    );
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

async function happen(
  { what, who }: Event,
  world: World,
  people: readonly Person[],
  page: WindowEvents,
): Promise<void> {
  const person = people[who];
  const events: Readonly<Record<(typeof EVENTS)[number], () => unknown>> = {
    send: () => person?.send(),
    cut: () => world.relay.cut(),
    freeze: () => world.relay.freeze(),
    thaw: () => world.relay.thaw(),
    restart: async () => {
      // A frozen socket would hold up the gateway that stops.
      world.relay.cut();
      await world.restart();
    },
    expire: () => person?.expire(),
    read: () => person?.room.markRead(),
    reload: () => person?.reload(),
    older: () => void person?.room.loadOlder().catch(() => undefined),
    wake: () => page.dispatch("online"),
    turn: () => new Promise((resolve) => setTimeout(resolve, 30)),
  };
  await events[what]();
}

let world: World;
let page: WindowEvents;
beforeAll(async () => {
  page = new WindowEvents();
  world = await startWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  page[Symbol.dispose]();
});

test(
  "nothing is lost, shown twice or out of order, whatever happens",
  { timeout: 60_000 + RUNS * 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 6, maxLength: 16 }), async (history) => {
        const { id } = world.api.data.createChat({ participants: [alice.id, bob.id] });
        const people = [new Person(world, alice, id), new Person(world, bob, id)];
        for (const one of history) await happen(one, world, people, page);
        world.relay.thaw();
        page.dispatch("online");
        await Promise.all(people.map((person) => person.settled()));
        for (const person of people) {
          person.send();
          await Promise.all(
            people.map((other) => until(other.room.messages, ({ items }) => items.at(-1)?.text === person.sent.at(-1))),
          );
        }
        for (const { room } of people) room.markRead();
        const persisted = world.api.data.messages(id);
        for (const { room, user, sent, faults } of people) {
          const { items } = await until(room.messages, (messages) =>
            messages.items.every(({ mine, readBy }) => !mine || readBy.length === 1),
          );
          expect(items.map(({ text }) => text).toSorted()).toEqual(persisted.map(({ content }) => content).toSorted());
          for (const { name } of DEMO_USERS) {
            const by = items.filter(({ sender }) => sender.name === name).map(({ text }) => text);
            expect(by).toEqual(persisted.filter(({ senderName }) => senderName === name).map(({ content }) => content));
          }
          expect(items.filter(({ sender }) => sender.id === user.id).map(({ text }) => text)).toEqual(sent);
          expect(faults).toEqual([]);
        }
        await Promise.all(people.map((person) => person.listed(persisted.at(-1)?.content ?? "")));
        await Promise.all(people.map((person) => person.close()));
      }),
      { numRuns: RUNS, ...(RUNS === SUITE_RUNS && { seed: 20_261_126, endOnFailure: true }) },
    );
  },
);
