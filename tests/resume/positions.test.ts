/** From where a returning client goes on, and who may: to the message. */
import { describe, expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { chatOf } from "../sessions/scene.ts";
import { createTestBus } from "../support/bus.ts";
import { connect, type TestClient } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { MarkReadDocument, SendMessageDocument, SetTypingDocument } from "../support/generated/graphql.ts";
import { MESSAGES, RECEIPTS, visit } from "../support/returning-client.ts";
import { startRelay } from "../support/relay.ts";
import { numbered } from "../support/transcript.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;

const OF_TEAM = { query: MESSAGES, variables: { chatId: team } };

async function send(client: TestClient, contents: readonly string[], chatId: string = team): Promise<void> {
  for (const content of contents) await client.run(SendMessageDocument, { chatId, content });
}

/** As many at a time as a connection may have under way. */
async function sendAtOnce(client: TestClient, contents: readonly string[]): Promise<void> {
  for (let start = 0; start < contents.length; start += 90) {
    await Promise.all(contents.slice(start, start + 90).map((content) => send(client, [content])));
  }
}

interface Scene extends AsyncDisposable {
  readonly gateway: TestGateway;
  /** Bob, whose connection nothing happens to. */
  readonly writer: TestClient;
}

async function createScene(environment: Readonly<Record<string, string>> = {}, bus?: Bus<BusEvent>): Promise<Scene> {
  await using starting = new AsyncDisposableStack();
  const gateway = starting.use(await startGateway({ EVENTS_SECRET, ...environment }, bus && { bus }));
  const writer = starting.use(connect(gateway.wsUrl, bob.token));
  await writer.acknowledged;
  const running = starting.move();
  return { gateway, writer, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

describe("what has arrived for certain", () => {
  test("does not come again; what was written since the last ping comes once more", async () => {
    await using scene = await createScene({ HEARTBEAT_INTERVAL: "500" });
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    const before = await first.follow("1", OF_TEAM);
    await send(writer, ["a1", "a2"]);
    await before.has("a2");
    await first.confirmed();
    await send(writer, ["a3"]);
    await before.has("a3");
    await first.drop();
    await send(writer, ["a4"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    await send(writer, ["a5"]);
    await after.has("a5");
    expect(["a3,a4,a5", "a4,a5"]).toContain(after.all.join(","));
  });

  test("is what was written before a close that the client has answered", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    const before = await first.follow("1", OF_TEAM);
    await send(writer, ["a1", "a2"]);
    await before.has("a2");
    await tell(gateway, { type: "user.signed_out", data: { userId: alice.id } });
    expect(await first.closed).toBe(4403);
    await send(writer, ["a3"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    await after.has("a3");
    expect(after.all).toEqual(["a3"]);
  });

  test("is asked after so many events, though no heartbeat is due", async () => {
    await using scene = await createScene({ HEARTBEAT_INTERVAL: "600000" });
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    const before = await first.follow("1", OF_TEAM);
    const confirmed = first.confirmed();
    await sendAtOnce(writer, numbered("a", 1, 260));
    await before.count(260);
    await confirmed;
    await first.drop();
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    await send(writer, ["barrier"]);
    await after.has("barrier");
    expect(after.all).toEqual([...before.all.slice(250), "barrier"]);
  });

  test("is not what a client had when it was lost again before it confirmed anything", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.drop();
    await send(writer, ["a1", "a2"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const once = await second.follow("1", OF_TEAM);
    await once.has("a2");
    await second.drop();
    await send(writer, ["a3"]);
    await using third = await visit(gateway.wsUrl, alice.token);
    const again = await third.follow("1", OF_TEAM);
    await again.has("a3");
    expect(again.all).toEqual(["a1", "a2", "a3"]);
  });
});

describe("nothing is resumed", () => {
  test.each(["complete", "a normal close"])("after %s", async (end) => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    if (end === "complete") {
      first.socket.socket.send(JSON.stringify({ id: "1", type: "complete" }));
      await first.settled();
      await first.drop();
    } else await first.leave(1000);
    await send(writer, ["a1"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    await send(writer, ["a2"]);
    await after.has("a2");
    expect(after.all).toEqual(["a2"]);
  });

  test.each([
    { what: "another user", id: "1", token: carol.token, operation: OF_TEAM },
    { what: "another id", id: "2", token: alice.token, operation: OF_TEAM },
    { what: "other variables", id: "1", token: alice.token, operation: { query: MESSAGES } },
    { what: "another document", id: "1", token: alice.token, operation: { ...OF_TEAM, query: `${MESSAGES} ` } },
  ])("by $what", async ({ id, token, operation }) => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.drop();
    await send(writer, ["a1"]);
    await using second = await visit(gateway.wsUrl, token);
    const after = await second.follow(id, operation);
    await send(writer, ["a2"]);
    await after.has("a2");
    expect(after.all).toEqual(["a2"]);
    // It was there to be resumed all the same.
    await using third = await visit(gateway.wsUrl, alice.token);
    const resumed = await third.follow("1", OF_TEAM);
    await resumed.has("a2");
    expect(resumed.all).toEqual(["a1", "a2"]);
  });

  test("when RESUME_WINDOW is over", async () => {
    const bus = createTestBus();
    const keys = new Set<string>();
    const owned: typeof bus.owned = {
      take: (key, owner, ttlMs) => bus.owned.take(key, owner, ttlMs),
      put(key, owner, value, ttlMs) {
        keys.add(key);
        return bus.owned.put(key, owner, value, ttlMs);
      },
      drop: (key, owner) => bus.owned.drop(key, owner),
    };
    await using scene = await createScene({ RESUME_WINDOW: "50", HEARTBEAT_INTERVAL: "50" }, { ...bus, owned });
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.drop();
    await send(writer, ["a1"]);
    const [key = ""] = keys;
    expect(keys.size).toBe(1);
    // Somebody else can have it as soon as it is nobody's any more.
    await expect.poll(() => bus.owned.put(key, "a test", "nothing", 1)).toBe(true);
    await bus.owned.drop(key, "a test");
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    await send(writer, ["a2"]);
    await after.has("a2");
    expect(after.all).toEqual(["a2"]);
  });
});

test.each([1001, 4000])(
  "a client that closes with %i, as a page that is left or a client that gives a socket up, resumes",
  async (code) => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.leave(code);
    await send(writer, ["a1"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    expect(after.all).toEqual(["a1"]);
  },
);

describe("a connection that its client has given up for a new one", () => {
  test.each(["goes on confirming", "completes", "says good-bye"])(
    "and %s does not spoil the new one's position",
    async (end) => {
      await using scene = await createScene({ HEARTBEAT_INTERVAL: "1000" });
      const { gateway, writer } = scene;
      await using away = await startRelay(gateway.wsUrl);
      await using old = await visit(gateway.wsUrl, alice.token);
      const stale = await old.follow("1", OF_TEAM);
      await using current = await visit(away.url, alice.token);
      await current.follow("1", OF_TEAM);
      away.freeze();
      await send(writer, ["a1", "a2"]);
      await stale.has("a2");
      away.cut();
      if (end === "goes on confirming") await old.confirmed();
      else if (end === "completes") {
        old.socket.socket.send(JSON.stringify({ id: "1", type: "complete" }));
        await old.settled();
      } else await old.leave(1000);
      away.thaw();
      await using next = await visit(away.url, alice.token);
      const after = await next.follow("1", OF_TEAM);
      await send(writer, ["a3"]);
      await after.has("a3");
      expect(after.all).toEqual(["a1", "a2", "a3"]);
    },
  );
});

describe("more than can be given", () => {
  test("over REPLAY_LIMIT: CURSOR_EXPIRED, not silence", async () => {
    await using scene = await createScene({ REPLAY_LIMIT: "2" });
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.drop();
    await send(writer, ["a1", "a2", "a3"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    expect(await after.over()).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
  });

  test("what the log has lost the history has; of receipts it has none", async () => {
    await using scene = await createScene({ REPLAY_LIMIT: "5000" });
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.follow("2", { query: RECEIPTS });
    await first.drop();
    const contents = numbered("a", 1, 1100);
    await sendAtOnce(writer, contents);
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    await after.count(1100);
    expect(after.all.toSorted()).toEqual(contents.toSorted());
    const receipts = await second.follow("2", { query: RECEIPTS });
    expect(await receipts.over()).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
  });
});

describe("membership", () => {
  test("somebody removed while away gets nothing of that chat, and is told where it was of that chat alone", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1");
    await first.follow("2", OF_TEAM);
    await first.drop();
    await send(writer, ["a1"]);
    gateway.api.data.removeMember(team, alice.id);
    await tell(gateway, { type: "chat.updated", data: { chat: chatOf(team, [bob, carol]) } });
    await send(writer, ["a2"]);
    await send(writer, ["b1"], shop);
    await using second = await visit(gateway.wsUrl, alice.token);
    const all = await second.follow("1");
    await all.has("b1");
    expect(all.all).toEqual(["b1"]);
    const ofTeam = await second.follow("2", OF_TEAM);
    expect(await ofTeam.over()).toMatchObject([{ extensions: { code: "NOT_PARTICIPANT" } }]);
  });

  test("somebody added while away gets what was written since", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1");
    await first.drop();
    gateway.api.data.addMember(pair, alice.id);
    await tell(gateway, { type: "chat.updated", data: { chat: chatOf(pair, [alice, bob, carol]) } });
    await send(writer, ["c1"], pair);
    await send(writer, ["a1"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const all = await second.follow("1");
    await all.has("c1", "a1");
    expect(all.all).toEqual(["c1", "a1"]);
  });
});

test("receipts are resumed under the same rules", async () => {
  await using scene = await createScene();
  const { gateway, writer } = scene;
  const toRead = numbered("r", 1, 3).map((content) =>
    gateway.api.data.addMessage({ chatId: team, senderId: alice.id, content }),
  );
  const read = async (index: number): Promise<string> => {
    const messageId = toRead[index]?.id ?? "";
    await writer.run(MarkReadDocument, { chatId: team, messageId });
    return messageId;
  };
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1", { query: RECEIPTS });
  await first.drop();
  const missed = [await read(0), await read(1)];
  await using second = await visit(gateway.wsUrl, alice.token);
  const after = await second.follow("1", { query: RECEIPTS });
  const live = await read(2);
  await after.has(live);
  expect(after.all).toEqual([...missed, live]);
});

test("typing and presence begin with the present state after a return", async () => {
  await using scene = await createScene({ TYPING_TIMEOUT: "600000", PRESENCE_GRACE: "0" });
  const { gateway, writer } = scene;
  const typing = { query: "subscription { typingChanged { user { name } isTyping } }" };
  const presence = { query: "subscription { presenceChanged { user { name } online } }" };
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1", typing);
  await first.follow("2", presence);
  await first.drop();
  await writer.run(SetTypingDocument, { chatId: team, isTyping: true });
  await using another = connect(gateway.wsUrl, carol.token);
  await another.acknowledged;
  await using second = await visit(gateway.wsUrl, alice.token);
  expect((await second.follow("1", typing)).all.map(dataOf)).toEqual([
    { typingChanged: { user: { name: bob.name }, isTyping: true } },
  ]);
  expect((await second.follow("2", presence)).all.map(dataOf)).toEqual([
    { presenceChanged: { user: { name: bob.name }, online: true } },
    { presenceChanged: { user: { name: carol.name }, online: true } },
  ]);
});

function dataOf(payload: string): unknown {
  return (JSON.parse(payload) as { data: unknown }).data;
}
