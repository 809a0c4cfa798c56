/** A subscription that goes on from a cursor: where the log ends, where the gateway says no, and what is no cursor. */
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { follow, page, send, sendAll } from "../support/chatting.ts";
import { connect } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument } from "../support/generated/graphql.ts";
import { createSeasonedBackplane } from "../support/backplane.ts";
import { numbered } from "../support/transcript.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

/** A chat of Alice and Bob whose messages are a second apart, in no order of ids. */
function chatWith({ data }: TestGateway["api"], contents: readonly string[]): string {
  const { id: chatId } = data.createChat({ participants: [alice.id, bob.id] });
  for (const [n, content] of contents.entries()) {
    const createdAt = new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString();
    data.addMessage({ chatId, senderId: n % 2 === 0 ? alice.id : bob.id, content, createdAt });
  }
  return chatId;
}

describe("beyond what the log holds", () => {
  const DIALECTS = [
    { paging: "nextToken", ignoreLimit: false },
    { paging: "nextToken", ignoreLimit: true },
    { paging: "lastEvaluatedKey", ignoreLimit: false },
    { paging: "lastEvaluatedKey", ignoreLimit: true },
  ] as const;

  test.each(DIALECTS)("the history serves, in the order of time: %j", async (settings) => {
    await using before = await startGateway();
    const chatId = chatWith(before.api, numbered("a", 1, 130));
    await using early = connect(before.wsUrl, alice.token);
    const { cursors } = await page(early, chatId, 125);
    await using gateway = await startGateway({ HTTP_API_URL: before.api.url });
    Object.assign(before.api.settings, settings);
    await using reader = connect(gateway.wsUrl, alice.token);
    const transcript = follow(reader, { chatId, after: cursors[0] ?? "" });
    await send(reader, chatId, "live");
    await transcript.has("live");
    expect(transcript.all).toEqual([...numbered("a", 7, 130), "live"]);
  });

  test("of every chat, in the order of time", async () => {
    await using gateway = await startGateway();
    const { data } = gateway.api;
    const at = (second: number): string => new Date(Date.UTC(2026, 1, 1) + second * 1000).toISOString();
    for (let n = 1; n <= 7; n++) {
      data.addMessage({ chatId: n % 2 === 0 ? shop : team, senderId: alice.id, content: `a${n}`, createdAt: at(n) });
    }
    await using reader = connect(gateway.wsUrl, bob.token);
    const { cursors } = await page(reader, team, 4);
    const transcript = follow(reader, { after: cursors[0] ?? "" });
    await send(reader, shop, "live");
    await transcript.has("live");
    expect(transcript.all).toEqual([...numbered("a", 2, 7), "live"]);
  });

  test("what is published while the history is being read comes once, in order", async () => {
    await using before = await startGateway();
    await using early = connect(before.wsUrl, alice.token);
    const cursor = await send(early, shop, "a1");
    await send(early, shop, "a2");
    await using gateway = await startGateway({ HTTP_API_URL: before.api.url });
    await using reader = connect(gateway.wsUrl, alice.token);
    await reader.run(ChatsDocument);
    // One is in the answer and comes by live, the other comes by live alone.
    using asked = before.api.faults.hold({ method: "GET", path: `/chats/${shop}/messages` });
    const transcript = follow(reader, { chatId: shop, after: cursor });
    await asked.arrived(1);
    await send(reader, shop, "a3");
    using answered = before.api.faults.hold({ method: "GET", path: `/chats/${shop}/messages`, when: "processed" });
    asked.lift();
    await answered.arrived(1);
    await send(reader, shop, "a4");
    answered.lift();
    await send(reader, shop, "a5");
    await transcript.has("a5");
    expect(transcript.all).toEqual(["a2", "a3", "a4", "a5"]);
  });

  test.each([
    { fault: "unavailable", code: "UPSTREAM_UNAVAILABLE" },
    { fault: "wrongJson", code: "UPSTREAM_UNAVAILABLE" },
    { fault: "down", code: "UPSTREAM_UNAVAILABLE" },
  ] as const)("a REST API that cannot be asked ($fault) is an error", async ({ fault, code }) => {
    await using before = await startGateway();
    await using early = connect(before.wsUrl, alice.token);
    const cursor = await send(early, shop, "a1");
    await send(early, shop, "a2");
    await using gateway = await startGateway({ HTTP_API_URL: before.api.url, HTTP_API_RETRIES: "1" });
    await using reader = connect(gateway.wsUrl, alice.token);
    await reader.run(ChatsDocument);
    using _ = before.api.faults[fault]({ method: "GET", path: `/chats/${shop}/messages` });
    const refused = reader.subscribe(MessageAddedDocument, { chatId: shop, after: cursor });
    expect(await refused.ended).toMatchObject([{ extensions: { code } }]);
    const live = follow(reader, { chatId: shop });
    await send(reader, shop, "the socket goes on");
    await live.has("the socket goes on");
  });

  test("what is published while a slow log is being read comes once, in order", async () => {
    await using backplane = createSeasonedBackplane();
    const bus = backplane.busOf();
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const log: typeof bus.log = {
      position: (topics) => bus.log.position(topics),
      tail: (topic) => bus.log.tail(topic),
      positionsOf: (topic, ids) => bus.log.positionsOf(topic, ids),
      delayAfter: (topic, after) => bus.log.delayAfter(topic, after),
      async read(topic, after) {
        asked.resolve();
        await gate.promise;
        return bus.log.read(topic, after);
      },
    };
    await using gateway = await startGateway({}, { bus: { ...bus, log } });
    await using client = connect(gateway.wsUrl, alice.token);
    const [cursor = ""] = await sendAll(client, team, ["a1", "a2"]);
    const transcript = follow(client, { chatId: team, after: cursor });
    await asked.promise;
    await send(client, team, "a3");
    gate.resolve();
    await send(client, team, "a4");
    await transcript.has("a4");
    expect(transcript.all).toEqual(["a2", "a3", "a4"]);
  });

  test("what the log holds asks the REST API for no history", async () => {
    await using gateway = await startGateway();
    await using client = connect(gateway.wsUrl, alice.token);
    const [cursor = ""] = await sendAll(client, team, ["a1", "a2"]);
    const transcript = follow(client, { after: cursor });
    await transcript.has("a2");
    expect(gateway.api.faults.requests.count({ method: "GET", path: /\/messages/ })).toBe(0);
  });
});

describe("more than REPLAY_LIMIT", () => {
  test.each(["the log", "the history"])("out of %s: as many as the limit, or CURSOR_EXPIRED", async (source) => {
    await using before = await startGateway({ REPLAY_LIMIT: "5" });
    await using writer = connect(before.wsUrl, alice.token);
    const cursors = await sendAll(writer, team, numbered("a", 1, 7));
    await using after = await startGateway({ REPLAY_LIMIT: "5", HTTP_API_URL: before.api.url });
    await using reader = connect(source === "the log" ? before.wsUrl : after.wsUrl, alice.token);
    const just = follow(reader, { after: cursors[1] ?? "" });
    await just.has("a7");
    expect(just.all).toEqual(numbered("a", 3, 7));
    const over = reader.subscribe(MessageAddedDocument, { after: cursors[0] ?? "" });
    expect(await over.ended).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
    expect(over.waiting).toEqual([]);
  });

  test("counted over all chats together", async () => {
    await using gateway = await startGateway({ REPLAY_LIMIT: "5" });
    await using client = connect(gateway.wsUrl, alice.token);
    const cursor = await send(client, team, "a1");
    await sendAll(client, team, ["a2", "a3", "a4"]);
    await sendAll(client, shop, ["b1", "b2", "b3"]);
    const over = client.subscribe(MessageAddedDocument, { after: cursor });
    expect(await over.ended).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
    const ofOneChat = follow(client, { chatId: team, after: cursor });
    await ofOneChat.has("a4");
    expect(ofOneChat.all).toEqual(["a2", "a3", "a4"]);
  });
});

describe("what is no cursor", () => {
  const encode = (fields: unknown): string => Buffer.from(JSON.stringify(fields)).toString("base64url");
  const at = "2026-01-31T09:30:00.000Z";

  test.each([
    ["nothing", ""],
    ["text", "garbage"],
    ["other JSON", encode({ chatId: team })],
    ["another version", encode(["2", at, team, "id"])],
    ["no instant", encode(["1", "yesterday", team, "id"])],
    ["no id", encode(["1", at, team])],
    ["no position", encode(["1", at, team, "id", "somewhere"])],
    ["more than a cursor has", encode(["1", at, team, "id", [], "more"])],
    ["null bytes", "\u0000\u0000"],
  ])("%s is BAD_USER_INPUT", async (_name, after) => {
    await using gateway = await startGateway();
    await using client = connect(gateway.wsUrl, alice.token);
    for (const chatId of [team, undefined]) {
      const refused = client.subscribe(MessageAddedDocument, { ...(chatId && { chatId }), after });
      expect(await refused.ended).toMatchObject([{ extensions: { code: "BAD_USER_INPUT", argument: "after" } }]);
    }
  });

  test("a cursor of a former version, or of another key, is CURSOR_EXPIRED", async () => {
    await using gateway = await startGateway();
    await using client = connect(gateway.wsUrl, alice.token);
    const changed = Buffer.from(await send(client, team, "a1"), "base64url");
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    for (const after of [encode(["1", at, team, "id"]), changed.toString("base64url")]) {
      const refused = client.subscribe(MessageAddedDocument, { chatId: team, after });
      expect(await refused.ended).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
    }
  });

  test("another chat's cursor is refused for one chat, and counts for all chats", async () => {
    await using gateway = await startGateway();
    await using client = connect(gateway.wsUrl, alice.token);
    const cursor = await send(client, shop, "b1");
    await sendAll(client, team, ["a1", "a2"]);
    const refused = client.subscribe(MessageAddedDocument, { chatId: team, after: cursor });
    expect(await refused.ended).toMatchObject([{ extensions: { code: "BAD_USER_INPUT", argument: "after" } }]);
    const all = follow(client, { after: cursor });
    await all.has("a2");
    expect(all.all).toEqual(["a1", "a2"]);
  });

  test("the cursor of a chat gives nothing of it to a user who is not in it", async () => {
    await using gateway = await startGateway();
    await using insider = connect(gateway.wsUrl, bob.token);
    const cursor = await send(insider, shop, "b1");
    await sendAll(insider, shop, ["b2", "b3"]);
    await send(insider, team, "a1");
    await using outsider = connect(gateway.wsUrl, carol.token);
    const refused = outsider.subscribe(MessageAddedDocument, { chatId: shop, after: cursor });
    expect(await refused.ended).toMatchObject([{ extensions: { code: "NOT_PARTICIPANT" } }]);
    const all = follow(outsider, { after: cursor });
    await all.has("a1");
    expect(all.all).toEqual(["a1"]);
  });
});
