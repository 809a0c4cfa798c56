/** From where a returning client goes on, and who may: to the message. */
import { describe, expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { PresenceChangedDocument } from "../support/generated/graphql.ts";
import type { TestClient } from "../support/client.ts";
import { createTestBus } from "../support/bus.ts";
import { createScene, OF_TEAM, send, sendSeen, sendAtOnce } from "../support/resume-scene.ts";
import { tell } from "../support/events.ts";
import { MESSAGES, operationId, visit, type Visit } from "../support/returning-client.ts";
import { startRelay } from "../support/relay.ts";
import { numbered } from "../support/transcript.ts";

const [alice, , carol] = DEMO_USERS;

/** What it selects depends on who asks. */
const OF_EACH = MESSAGES.replace("content", "content sender { presence { online } }");

describe("what the client has confirmed", () => {
  test("does not come again; what was written since the last ping comes once more", async () => {
    await using scene = await createScene();
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

  test.each([
    ["for all who ask for the same", OF_TEAM],
    ["for each subscriber", { ...OF_TEAM, query: OF_EACH }],
  ])(
    "is asked for soon after a burst, before the next heartbeat, where messages are written %s",
    async (_, operation) => {
      await using scene = await createScene({ HEARTBEAT_INTERVAL: "600000" });
      const { gateway, writer } = scene;
      await using first = await visit(gateway.wsUrl, alice.token);
      const before = await first.follow("1", operation);
      await sendAtOnce(writer, numbered("a", 1, 260));
      await before.count(260);
      await first.confirmed();
      await first.drop();
      await using second = await visit(gateway.wsUrl, alice.token);
      const after = await second.follow("1", operation);
      await send(writer, ["barrier"]);
      await after.has("barrier");
      expect(after.all).toEqual(["barrier"]);
    },
  );

  test("is what was written before the ping that it answered, of several that it has not answered", async () => {
    await using scene = await createScene({ HEARTBEAT_INTERVAL: "600000", MAX_MESSAGE_SIZE: "100000" });
    const { gateway, writer } = scene;
    const contents = numbered("a", 1, 4).map((word) => `${word} ${"x".repeat(40_000)}`);
    await using first = await visit(gateway.wsUrl, alice.token, { autoPong: false });
    const pings: string[] = [];
    first.socket.socket.on("ping", (data: Buffer) => pings.push(data.toString()));
    const before = await first.follow("1", OF_TEAM);
    for (const content of contents) {
      await send(writer, [content]);
      await before.has(content);
    }
    // One behind each of them, since each is large, though none was answered.
    await expect.poll(() => pings.length).toBe(4);
    for (const ping of [pings[1], pings[0]]) first.socket.socket.pong(ping);
    await first.handled();
    await first.drop();
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    await send(writer, ["barrier"]);
    await after.has("barrier");
    expect(after.all).toEqual([...contents.slice(2), "barrier"]);
  });

  test("is asked for sixteen times at most without an answer, where it is of 64 subscriptions", async () => {
    await using scene = await createScene({ HEARTBEAT_INTERVAL: "600000" });
    const { gateway, writer } = scene;
    await using client = await visit(gateway.wsUrl, alice.token, { autoPong: false });
    let pings = 0;
    client.socket.socket.on("ping", () => pings++);
    const following = await Promise.all(numbered("s", 1, 64).map((id) => client.follow(id, OF_TEAM)));
    // Enough for all of them that a ping stands behind each.
    const contents = numbered("a", 1, 30).map((word) => `${word} ${"x".repeat(2500)}`);
    for (const content of contents) {
      await send(writer, [content]);
      await Promise.all(following.map((events) => events.has(content)));
    }
    expect(following.map(({ all }) => all)).toEqual(following.map(() => contents));
    // Each notes where all of them are, and a connection notes 1,024 positions.
    expect(pings).toBe(16);
  });

  test("is not what a client had when it was lost again before it confirmed anything", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.drop();
    await send(writer, ["a1", "a2"]);
    await using second = await visit(gateway.wsUrl, alice.token, { autoPong: false });
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

/** Closes. Resolves when the gateway has heard of it, as another client sees by her presence. */
async function leaveForGood(leaving: Visit, watcher: TestClient, code: number | undefined): Promise<void> {
  const presence = watcher.subscribe(PresenceChangedDocument);
  await presence.next();
  await leaving.leave(code);
  await presence.next();
}

describe("nothing is resumed", () => {
  test.each(["complete", "a normal close", "a close without a code"])("after %s", async (end) => {
    await using scene = await createScene({ PRESENCE_GRACE: "0" });
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    if (end === "complete") {
      first.socket.socket.send(JSON.stringify({ id: operationId("1"), type: "complete" }));
      await first.handled();
      await first.drop();
    } else await leaveForGood(first, writer, end === "a normal close" ? 1000 : undefined);
    await sendSeen(scene, ["a1"]);
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
    await sendSeen(scene, ["a1"]);
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
});

test("a client that comes back when RESUME_WINDOW is over is told CURSOR_EXPIRED, once", async () => {
  const bus = createTestBus();
  const keys = new Set<string>();
  const fenced: typeof bus.fenced = {
    take: (...parameters) => bus.fenced.take(...parameters),
    put(...parameters) {
      keys.add(parameters[0]);
      return bus.fenced.put(...parameters);
    },
    putFirst: (...parameters) => bus.fenced.putFirst(...parameters),
    restore: (...parameters) => bus.fenced.restore(...parameters),
    drop: (...parameters) => bus.fenced.drop(...parameters),
  };
  await using scene = await createScene({ RESUME_WINDOW: "50" }, { ...bus, fenced });
  const { gateway, writer } = scene;
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1", OF_TEAM);
  await first.drop();
  await send(writer, ["a1"]);
  const [key = ""] = keys;
  expect(keys.size).toBe(1);
  // Somebody else can put a value, which expires at once, as soon as the client's is expired.
  await expect.poll(() => bus.fenced.put(key, "a test", "nothing", 0, 60_000)).toBe(true);
  await using second = await visit(gateway.wsUrl, alice.token);
  const refused = await second.follow("1", OF_TEAM);
  expect(await refused.over()).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
  const after = await second.follow("1", OF_TEAM);
  await send(writer, ["a2"]);
  await after.has("a2");
  expect(after.all).toEqual(["a2"]);
});

test.each([1001, 4000])("a client that closes with %i resumes", async (code) => {
  await using scene = await createScene();
  const { gateway, writer } = scene;
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1", OF_TEAM);
  await first.leave(code);
  await send(writer, ["a1"]);
  await using second = await visit(gateway.wsUrl, alice.token);
  const after = await second.follow("1", OF_TEAM);
  await after.has("a1");
  expect(after.all).toEqual(["a1"]);
});

describe("a connection that its client has replaced by a new one", () => {
  test.each(["goes on confirming", "completes", "says good-bye"])(
    "and %s does not spoil the new one's position",
    async (end) => {
      await using scene = await createScene();
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
        old.socket.socket.send(JSON.stringify({ id: operationId("1"), type: "complete" }));
        await old.handled();
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
