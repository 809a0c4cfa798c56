/** What a room of a kit client shows: nothing missing, nothing twice, in order, whatever becomes of the connection. */
import { describe, expect, onTestFinished, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { send, sendAll } from "../support/chatting.ts";
import { eventually } from "../support/eventually.ts";
import {
  ChatsDocument,
  MarkChatReadDocument,
  SetTypingDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { live, memoryStorage, record, showing, texts, until } from "./kit.ts";
import { startWorld, type World } from "./world.ts";

const [alice, bob] = DEMO_USERS;
const LAST = "Looking forward to it.";

function words(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** Writes messages past the gateway, each a millisecond after the one before. */
function write(world: World, chatId: string, contents: readonly string[], senderId = bob.id): void {
  const start = Date.now() - contents.length;
  for (const [index, content] of contents.entries()) {
    const createdAt = new Date(start + index).toISOString();
    world.api.data.addMessage({ chatId, senderId, content, createdAt });
  }
}

describe("a room shows", () => {
  test("the history, upwards, and what is sent now", async () => {
    await using world = await startWorld();
    const { id } = world.api.data.createChat({ participants: [alice.id, bob.id] });
    const before = words("m", 120);
    write(world, id, before);
    const client = world.open();
    const room = client.room(id);
    expect(room.messages.get()).toEqual({ items: [], hasOlder: false, loading: true });
    await until(room.messages, ({ items }) => items.length > 0);
    expect(texts(room)).toEqual(before.slice(-50));
    expect(room.messages.get()).toMatchObject({ hasOlder: true, loading: false });
    await live(client);
    await send(world.connect("bob-token"), id, "live");
    await showing(room, "live");
    await Promise.all([room.loadOlder(), room.loadOlder()]);
    await room.loadOlder();
    expect(texts(room)).toEqual([...before, "live"]);
    expect(room.messages.get()).toMatchObject({ hasOlder: false, loading: false });
    await expect(room.loadOlder()).resolves.toBeUndefined();
  });

  test("everything after an absence longer than the gateway remembers", async () => {
    await using world = await startWorld({ RESUME_WINDOW: "10", HEARTBEAT_INTERVAL: "1000" });
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    await showing(room, LAST);
    const shown = texts(room);
    world.relay.cut();
    const missed = words("missed ", 500);
    await sendAll(world.connect("bob-token"), world.chatId, missed);
    await showing(room, ...missed.slice(-1));
    const all = [...shown, ...missed];
    expect(texts(room)).toEqual(all);
    expect(new Set(room.messages.get().items.map(({ key }) => key)).size).toBe(506);
  });

  test("everything when more was missed than the gateway replays", async () => {
    await using world = await startWorld({ REPLAY_LIMIT: "10" });
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    const shown = texts(room);
    const keys = record(room.messages, ({ items }) => items.length);
    const missed = words("missed ", 300);
    await world.restart(async () => {
      write(world, world.chatId, missed);
    });
    await showing(room, ...missed.slice(-1));
    await live(client);
    expect(texts(room)).toEqual([...shown, ...missed]);
    expect(room.messages.get().gap).toBeUndefined();
    // What was shown stayed.
    expect(Math.min(...keys)).toBe(shown.length);
    await send(world.connect("bob-token"), world.chatId, "and on");
    await showing(room, "missed 299", "and on");
  });

  test("the newest, and that there is a gap, when too much was missed to load", async () => {
    await using world = await startWorld({ REPLAY_LIMIT: "10" });
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    await world.restart(async () => {
      write(world, world.chatId, words("missed ", 1100));
    });
    await until(room.messages, ({ gap }) => gap === "history-reloaded");
    expect(texts(room)).toEqual(words("missed ", 1100).slice(-texts(room).length));
    expect(room.messages.get().hasOlder).toBe(true);
    while (room.messages.get().hasOlder) await room.loadOlder();
    expect(texts(room).slice(-1101)).toEqual([LAST, ...words("missed ", 1100)]);
  });

  test("the first messages of an empty chat, sent while the gateway was away", async () => {
    await using world = await startWorld();
    const { id } = world.api.data.createChat({ participants: [alice.id, bob.id] });
    const client = world.open();
    const room = client.room(id);
    await live(client);
    await world.restart(() => write(world, id, ["first"]));
    await showing(room, "first");
    await live(client);
    await send(world.connect("bob-token"), id, "second");
    await showing(room, "second");
    expect(texts(room)).toEqual(["first", "second"]);
  });

  test("who is there, who types, who has read", async () => {
    await using world = await startWorld({ PRESENCE_GRACE: "0", TYPING_TIMEOUT: "600000" });
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    expect(room.people.get()).toEqual({ online: [], typing: [] });
    const friend = world.connect("bob-token");
    await friend.run(SetTypingDocument, { chatId: world.chatId, isTyping: true });
    await until(room.people, ({ online, typing }) => online.length === 1 && typing.length === 1);
    expect(room.people.get()).toEqual({
      online: [{ id: bob.id, name: bob.name }],
      typing: [{ id: bob.id, name: bob.name }],
    });
    await send(friend, world.chatId, "typed");
    await until(room.people, ({ typing }) => typing.length === 0);
    room.send("Read this");
    await showing(room, "Read this");
    await friend.run(MarkChatReadDocument, { chatId: world.chatId });
    await until(room.messages, ({ items }) => items.at(-1)?.readBy.length === 1);
    const { items } = room.messages.get();
    expect(items.at(-1)?.readBy).toEqual([{ id: bob.id, name: bob.name }]);
    // Nobody reads what he wrote himself.
    expect(items.at(-2)?.readBy.map(({ name }) => name)).not.toContain(bob.name);
    await friend[Symbol.asyncDispose]();
    await until(room.people, ({ online }) => online.length === 0);
  });

  test("receipts that were made while its connection was away", async () => {
    await using world = await startWorld();
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    room.send("Read this");
    await showing(room, "Read this");
    const friend = world.connect("bob-token");
    world.relay.cut();
    await friend.run(MarkChatReadDocument, { chatId: world.chatId });
    const { items } = await until(room.messages, (messages) => messages.items.at(-1)?.readBy.length === 1);
    expect(items.at(-1)?.readBy).toEqual([{ id: bob.id, name: bob.name }]);
  });

  test("the ticks of everything that it shows after an absence longer than the gateway remembers", async () => {
    await using world = await startWorld();
    const { id } = world.api.data.createChat({ participants: [alice.id, bob.id] });
    const mine = words("mine ", 460);
    write(world, id, mine, alice.id);
    const client = world.open();
    const room = client.room(id);
    await live(client);
    while (texts(room).length < mine.length) await room.loadOlder();
    world.relay.cut();
    world.relay.freeze();
    // The next gateway delivers no receipt of before.
    await world.restart();
    await world.connect("bob-token").run(MarkChatReadDocument, { chatId: id });
    world.relay.cut();
    world.relay.thaw();
    const { items } = await until(room.messages, (messages) => messages.items[0]?.readBy.length === 1);
    expect(items.map(({ readBy }) => readBy.map(({ name }) => name))).toEqual(mine.map(() => [bob.name]));
  });

  test("that its viewer may not be there", async () => {
    await using world = await startWorld();
    const room = world.open().room(DEMO_CHATS.pair);
    const { error } = await until(room.messages, (messages) => messages.error !== undefined);
    expect(error).toBe("NOT_PARTICIPANT");
  });
});

describe("a message that is sent", () => {
  test("is shown at once, and keeps its key and its place in the order", async () => {
    await using world = await startWorld();
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    const gate = world.api.faults.hold({ method: "POST", times: 1 });
    const shown = room.send("mine");
    room.send("mine too");
    expect(shown).toMatchObject({ text: "mine", mine: true, sender: { id: alice.id, name: alice.name }, readBy: [] });
    expect(texts(room).slice(-2)).toEqual(["mine (sending)", "mine too (queued)"]);
    gate.release();
    await showing(room, "mine", "mine too");
    expect(room.messages.get().items.at(-2)?.key).toBe(shown.key);
    await send(world.connect("bob-token"), world.chatId, "theirs");
    await showing(room, LAST, "mine", "mine too", "theirs");
  });

  test("without a connection is queued, and sent in order when there is one", async () => {
    await using world = await startWorld();
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    const mine = words("mine ", 10);
    await world.restart(async () => {
      for (const text of mine) room.send(text);
      expect(texts(room).slice(-10)).toEqual(mine.map((text) => `${text} (queued)`));
      room.discard(room.messages.get().items.at(-1)?.key ?? "");
      write(world, world.chatId, ["theirs"]);
    });
    await showing(room, "mine 8");
    await live(client);
    expect(texts(room)).toEqual([...texts(room).slice(0, 6), "theirs", ...mine.slice(0, 9)]);
    expect(world.api.data.messages(world.chatId).map(({ content }) => content)).toEqual(texts(room));
  });

  test("waits for those of its own chat alone", async () => {
    await using world = await startWorld();
    const { id } = world.api.data.createChat({ participants: [alice.id, bob.id] });
    const client = world.open();
    const [slow, other] = [client.room(world.chatId), client.room(id)];
    await live(client);
    const gate = world.api.faults.hold({ method: "POST", path: `/chats/${world.chatId}/messages`, times: 1 });
    slow.send("slow");
    slow.send("behind it");
    other.send("one");
    other.send("two");
    await showing(other, "one", "two");
    expect(texts(slow).slice(-2)).toEqual(["slow (sending)", "behind it (queued)"]);
    gate.release();
    await showing(slow, "slow", "behind it");
    const persisted = world.api.data.messages(world.chatId).map(({ content }) => content);
    expect(persisted.slice(-2)).toEqual(["slow", "behind it"]);
  });

  test("is there once where its answer is lost with the gateway", async () => {
    await using world = await startWorld({ HTTP_API_IDEMPOTENT: "false" });
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    await showing(room, LAST);
    const gate = world.api.faults.hold({ method: "POST", times: 1, when: "processed" });
    room.send("once");
    await world.api.faults.requests.arrived(1, { method: "POST" });
    expect(texts(room).at(-1)).toBe("once (sending)");
    world.relay.freeze();
    gate.release();
    expect(world.api.data.messages(world.chatId)).toHaveLength(7);
    const seen = record(room.messages, () => texts(room).filter((text) => text.startsWith("once")).length);
    await world.restart(() => {
      world.relay.cut();
      world.relay.thaw();
    });
    await showing(room, LAST, "once");
    await live(client);
    await send(world.connect("bob-token"), world.chatId, "barrier");
    await showing(room, LAST, "once", "barrier");
    expect(seen).toEqual([1]);
    expect(world.api.data.messages(world.chatId)).toHaveLength(8);
  });

  test("fails when the gateway refuses it, can be retried, and does not hold up the next", async () => {
    await using world = await startWorld({ HTTP_API_RETRIES: "1", MAX_MESSAGE_SIZE: "20" });
    const client = world.open();
    const room = client.room(world.chatId);
    await live(client);
    const tooLong = room.send("much too long to be sent to anybody");
    room.send("next");
    await showing(room, "next", "much too long to be sent to anybody (failed)");
    room.discard(tooLong.key);
    await showing(room, LAST, "next");

    world.api.faults.answer({ status: 400, body: { error: "No" } }, { method: "POST", times: 1 });
    const { key } = room.send("again");
    await showing(room, "next", "again (failed)");
    room.retry(key);
    await showing(room, "next", "again");
    expect(room.messages.get().items.at(-1)?.key).toBe(key);
  });

  test("is sent though the one before says the same, and its page is loaded again", async () => {
    await using world = await startWorld();
    const storage = memoryStorage();
    const page = world.open({ storage });
    const room = page.room(world.chatId);
    await live(page);
    room.send("yes");
    await until(room.messages, ({ items }) => items.at(-1)?.id !== undefined);
    world.relay.freeze();
    room.send("yes");
    expect(texts(room).slice(-2)).toEqual(["yes", "yes (sending)"]);
    await page.close();
    world.relay.cut();
    world.relay.thaw();
    const again = world.open({ storage }).room(world.chatId);
    await showing(again, LAST, "yes", "yes");
    await eventually(() => expect([...storage.stored.values()]).toEqual(["[]"]));
    const persisted = world.api.data.messages(world.chatId).map(({ content }) => content);
    expect(persisted).toEqual(texts(again));
  });

  test("survives a reload with a storage, and is nobody else's", async () => {
    const storage = memoryStorage();
    await using world = await startWorld();
    {
      await using page = world.open({ storage });
      const room = page.room(world.chatId);
      await live(page);
      await world.restart(async () => {
        room.send("one");
        room.send("two");
        await page.close();
      });
    }
    const other = world.open({ storage, token: "bob-token" });
    const theirs = other.room(world.chatId);
    await live(other);
    await until(theirs.messages, ({ loading }) => !loading);
    expect(texts(theirs).at(-1)).toBe(LAST);
    const again = world.open({ storage });
    const room = again.room(world.chatId);
    await showing(room, LAST, "one", "two");
    await showing(theirs, LAST, "one", "two");
    await eventually(() => expect([...storage.stored.values()]).toEqual(["[]", "[]"]));
  });

  test("survives a reload though it was written before the first connection, while its chat is being loaded", async () => {
    const storage = memoryStorage();
    await using world = await startWorld();
    const gate = world.api.faults.hold({ method: "GET", path: `/chats/${world.chatId}/messages` });
    {
      await using page = world.open({ storage });
      page.room(world.chatId).send("early");
      await until(page.connection, ({ status }) => status === "catching-up");
    }
    expect([...storage.stored.values()].join("")).toContain('"text":"early"');
    gate.release();
    await showing(world.open({ storage }).room(world.chatId), LAST, "early");
  });

  test.each(["not JSON", "null"])("is kept in a storage in which %s was found", async (found) => {
    await using world = await startWorld();
    const storage = memoryStorage();
    storage.stored.set(`graphql-chat-client:${alice.id}`, found);
    const client = world.open({ storage });
    const room = client.room(world.chatId);
    await live(client);
    expect(world.relay.accepted).toBe(1);
    await world.restart(() => {
      room.send("kept");
      expect([...storage.stored.values()].join("")).toContain('"text":"kept"');
    });
    await showing(room, LAST, "kept");
  });

  test("is sent where the storage is forbidden", async () => {
    await using world = await startWorld();
    const forbid = (): never => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    const client = world.open({ storage: { getItem: forbid, setItem: forbid } });
    const room = client.room(world.chatId);
    await live(client);
    room.send("sent");
    await showing(room, LAST, "sent");
    expect(world.relay.accepted).toBe(1);
  });
});

test("typing and reading are sent no more often than others need", async () => {
  await using world = await startWorld();
  const client = world.open();
  const room = client.room(world.chatId);
  await live(client);
  await showing(room, LAST);
  const friend = world.connect("bob-token");
  const typing = friend.subscribe(TypingChangedDocument, { chatId: world.chatId });
  await friend.run(ChatsDocument);
  const startedAt = Date.now();
  const press = setInterval(() => {
    room.typing();
    room.markRead();
  }, 20);
  onTestFinished(() => clearInterval(press));
  const reads = { method: "PUT", path: /read-all/ };
  await world.api.faults.requests.arrived(1, reads);
  // A new message is news to the reader, once in a second.
  for (const text of words("new ", 5)) await send(friend, world.chatId, text);
  await world.api.faults.requests.arrived(2, reads);
  clearInterval(press);
  const elapsedMs = Date.now() - startedAt;
  expect(elapsedMs).toBeGreaterThan(900);
  expect(world.api.faults.requests.count(reads)).toBeLessThanOrEqual(1 + elapsedMs / 1000);
  expect((await typing.next()).typingChanged).toMatchObject({ isTyping: true, user: { id: alice.id } });
  expect(typing.waiting.length).toBeLessThanOrEqual(elapsedMs / 1000);
});

test("a chat is marked again only when the REST API has answered", async () => {
  await using world = await startWorld();
  const client = world.open();
  const [room, other] = [client.room(world.chatId), client.room(DEMO_CHATS.shop)];
  await live(client);
  await showing(room, LAST);
  await until(other.messages, ({ items }) => items.length > 0);
  const friend = world.connect("bob-token");
  const { faults } = world.api;
  const reads = { method: "PUT", path: `/chats/${world.chatId}/read-all` };
  const otherReads = { method: "PUT", path: `/chats/${DEMO_CHATS.shop}/read-all` };
  const gate = faults.hold(reads);
  room.markRead();
  await gate.arrived(1);
  await send(friend, world.chatId, "news");
  await showing(room, "news");
  room.markRead();
  // More than a second.
  other.markRead();
  await faults.requests.arrived(1, otherReads);
  await send(friend, DEMO_CHATS.shop, "more news");
  await showing(other, "more news");
  other.markRead();
  await faults.requests.arrived(2, otherReads);
  expect(faults.requests.count(reads)).toBe(1);
  gate.lift();
  await faults.requests.arrived(2, reads);
});

test("what is shown keeps its order when the history is loaded again", async () => {
  await using world = await startWorld({ RESUME_WINDOW: "10" });
  const client = world.open();
  const room = client.room(world.chatId);
  await live(client);
  await showing(room, LAST);
  // Created first, and published last.
  const gate = world.api.faults.hold({ method: "POST", times: 1, when: "processed" });
  const first = send(world.connect("bob-token"), world.chatId, "first");
  await gate.arrived(1);
  await send(world.connect("carol-token"), world.chatId, "second");
  await showing(room, "second");
  gate.lift();
  await first;
  await showing(room, "second", "first");
  const histories = { method: "GET", path: `/chats/${world.chatId}/messages` };
  const before = world.api.faults.requests.count(histories);
  world.relay.cut();
  await world.api.faults.requests.arrived(before + 1, histories);
  await live(client);
  await send(world.connect("bob-token"), world.chatId, "third");
  await showing(room, "third");
  expect(texts(room).slice(-3)).toEqual(["second", "first", "third"]);
});

test("what was read shortly before a room is closed is marked as read", async () => {
  await using world = await startWorld();
  const client = world.open();
  const room = client.room(world.chatId);
  await live(client);
  await showing(room, LAST);
  const reads = { method: "PUT", path: /read-all/ };
  room.markRead();
  await world.api.faults.requests.arrived(1, reads);
  await send(world.connect("bob-token"), world.chatId, "seen");
  await showing(room, "seen");
  room.markRead();
  room.close();
  await expect(world.api.faults.requests.arrived(2, reads)).resolves.toBeUndefined();
});
