/** A subscription that goes on from a cursor: everything newer, oldest first, then live; no gap, no duplicate. */
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, type TestClient } from "../support/client.ts";
import { errorIn } from "../support/errors.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import {
  ChatDocument,
  ChatsDocument,
  MessageAddedDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { createSeasonedBackplane, startInstances } from "../support/instances.ts";
import { openEventStream } from "../support/sse.ts";
import { numbered, Transcript } from "../support/transcript.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

async function send(client: TestClient, chatId: string, content: string): Promise<string> {
  const { sendMessage } = await client.run(SendMessageDocument, { chatId, content });
  return sendMessage.cursor;
}

async function sendAll(client: TestClient, chatId: string, contents: readonly string[]): Promise<readonly string[]> {
  const cursors: string[] = [];
  for (const content of contents) cursors.push(await send(client, chatId, content));
  return cursors;
}

interface Page {
  readonly contents: readonly string[];
  readonly cursors: readonly string[];
  readonly endCursor: string;
}

async function page(client: TestClient, id: string, last = 50): Promise<Page> {
  const { nodes, pageInfo } = (await client.run(ChatDocument, { id, last })).chat.messages;
  return {
    contents: nodes.map(({ content }) => content),
    cursors: nodes.map(({ cursor }) => cursor),
    endCursor: pageInfo.endCursor ?? "",
  };
}

function follow(client: TestClient, variables: { chatId?: string; after?: string } = {}): Transcript {
  return Transcript.of(client.subscribe(MessageAddedDocument, variables), ({ messageAdded }) => messageAdded.content);
}

/** A chat of Alice and Bob whose messages are a second apart, in no order of ids. */
function chatWith({ data }: TestGateway["api"], contents: readonly string[]): string {
  const { id: chatId } = data.createChat({ participants: [alice.id, bob.id] });
  for (const [n, content] of contents.entries()) {
    const createdAt = new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString();
    data.addMessage({ chatId, senderId: n % 2 === 0 ? alice.id : bob.id, content, createdAt });
  }
  return chatId;
}

/** The cursor of one message, from each place where a client meets one. */
const SOURCES = {
  "a query page": async (reader: TestClient) => (await page(reader, team)).cursors.at(-2),
  "a mutation": async (_reader: TestClient, sent: readonly string[]) => sent[1],
  "a subscription": async (_reader: TestClient, _sent: readonly string[], received: readonly string[]) => received[1],
};

describe.each(Object.entries(SOURCES))("from a cursor of %s", (_name, cursorFrom) => {
  test.each([{ chatId: team }, {}])("what is newer, then what is live: %j", async (variables) => {
    await using gateway = await startGateway();
    await using client = connect(gateway.wsUrl, alice.token);
    const cursors: string[] = [];
    const earlier = Transcript.of(client.subscribe(MessageAddedDocument, {}), ({ messageAdded }) => {
      cursors.push(messageAdded.cursor);
      return messageAdded.content;
    });
    await client.run(ChatsDocument);
    const sent = await sendAll(client, team, ["a1", "a2", "a3"]);
    await earlier.has("a3");
    const after = await cursorFrom(client, sent, cursors);
    await send(client, shop, "b1");
    await send(client, team, "a4");
    const transcript = follow(client, { ...variables, after: after ?? "" });
    await client.run(ChatsDocument);
    await send(client, team, "a5");
    await transcript.has("a5");
    expect(transcript.all).toEqual("chatId" in variables ? ["a3", "a4", "a5"] : ["a3", "b1", "a4", "a5"]);
  });
});

test("a message's cursor is worth the same wherever it came from, whoever has it", async () => {
  await using instances = await startInstances();
  await using writer = connect(instances.one.wsUrl, alice.token);
  await using reader = connect(instances.other.wsUrl, carol.token);
  const [, fromMutation = ""] = await sendAll(writer, team, ["a1", "a2", "a3", "a4"]);
  const [, , fromPage = ""] = (await page(reader, team, 4)).cursors;
  const [first, second] = [follow(reader, { after: fromMutation }), follow(reader, { chatId: team, after: fromPage })];
  await first.has("a4");
  await second.has("a4");
  expect(first.all).toEqual(["a3", "a4"]);
  expect(second.all).toEqual(["a4"]);
});

/** Writers at full speed, each on a connection of its own; resolves when all is sent. */
async function writeAll(wsUrls: readonly string[], chatId: string, count: number): Promise<void> {
  const users = [alice, bob, carol, alice, bob, carol];
  await Promise.all(
    users.map(async ({ token }, index) => {
      await using writer = connect(wsUrls[index % wsUrls.length] ?? "", token);
      await Promise.all(numbered(`w${index}-`, 1, count).map((content) => send(writer, chatId, content)));
    }),
  );
}

describe.each(["one gateway", "two gateways, the reader on the other one"])("while others write, on %s", (name) => {
  // All of them fit one page of the REST API, so that a page of the gateway is of one instant.
  test("a page and what is newer than it are everything, once, in the order that everybody gets", async () => {
    await using instances = await startInstances({}, createSeasonedBackplane);
    const { one, other, api } = instances;
    const readerUrl = name === "one gateway" ? one.wsUrl : other.wsUrl;
    const writerUrls = name === "one gateway" ? [one.wsUrl] : [one.wsUrl, other.wsUrl];
    const { id: chatId } = api.data.createChat({ participants: [alice.id, bob.id, carol.id] });
    const expected = [0, 1, 2, 3, 4, 5].flatMap((index) => numbered(`w${index}-`, 1, 15));
    await using reader = connect(readerUrl, carol.token);
    const control = follow(reader, { chatId });
    await reader.run(ChatsDocument);
    const writing = writeAll(writerUrls, chatId, 15);
    const joins: { readonly page: readonly string[]; readonly stream: Transcript }[] = [];
    for (const variables of [{ chatId }, {}, { chatId }, {}, { chatId }, {}]) {
      const { contents, endCursor } = await page(reader, chatId, 500);
      if (endCursor === "") continue;
      joins.push({ page: contents, stream: follow(reader, { ...variables, after: endCursor }) });
    }
    await writing;
    await control.has(...expected);
    await using barrier = connect(one.wsUrl, alice.token);
    await send(barrier, chatId, "barrier");
    expect(joins.length).toBeGreaterThan(0);
    for (const { page: had, stream } of joins) {
      await stream.has("barrier");
      const rest = control.all.filter((content) => !had.includes(content));
      await control.has("barrier");
      expect(stream.all).toEqual([...rest.filter((content) => content !== "barrier"), "barrier"]);
    }
    expect(control.all.toSorted()).toEqual([...expected, "barrier"].toSorted());
  });

  test("going on from the last message received, again and again, is everything, once", async () => {
    await using instances = await startInstances();
    const { one, other, api } = instances;
    const { id: chatId } = api.data.createChat({ participants: [alice.id, bob.id, carol.id] });
    await using control = connect(one.wsUrl, carol.token);
    const whole = follow(control, { chatId });
    await control.run(ChatsDocument);
    await using reader = connect(name === "one gateway" ? one.wsUrl : other.wsUrl, carol.token);
    const first = reader.subscribe(MessageAddedDocument, { chatId });
    await reader.run(ChatsDocument);
    const writing = writeAll([one.wsUrl, other.wsUrl], chatId, 30);
    let last = (await first.next()).messageAdded;
    first.stop();
    const read = [last.content];
    while (read.length < 180) {
      await using next = reader.subscribe(MessageAddedDocument, { chatId, after: last.cursor });
      for (let count = 0; count < 7 && read.length < 180; count++) {
        last = (await next.next()).messageAdded;
        read.push(last.content);
      }
    }
    await writing;
    await whole.has(...read);
    expect(read).toEqual(whole.all);
  });
});

describe("messages of one instant", () => {
  test("what a page has does not come again, what it has not comes", async () => {
    await using backplane = createSeasonedBackplane();
    await using gateway = await startGateway({ EVENTS_SECRET }, { bus: backplane.busOf() });
    const { id: chatId } = gateway.api.data.createChat({ participants: [alice.id, bob.id] });
    const createdAt = new Date().toISOString();
    const add = async (content: string): Promise<void> => {
      const message = gateway.api.data.addMessage({ chatId, senderId: bob.id, content, createdAt });
      await tell(gateway, { type: "message.created", data: { message } });
    };
    await using reader = connect(gateway.wsUrl, alice.token);
    await reader.run(ChatsDocument);
    for (const content of ["a1", "a2", "a3", "a4"]) await add(content);
    const { endCursor } = await page(reader, chatId);
    for (const content of ["a5", "a6"]) await add(content);
    const transcript = follow(reader, { chatId, after: endCursor });
    await send(reader, chatId, "a7");
    await transcript.has("a7");
    expect(transcript.all).toEqual(["a5", "a6", "a7"]);
  });
});

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

  test("what is published while the history is being read comes once, in its place", async () => {
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
  ] as const)("a REST API that cannot be asked ($fault) is no silence", async ({ fault, code }) => {
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

  test("what is published while a slow log is being read comes once, in its place", async () => {
    await using backplane = createSeasonedBackplane();
    const bus = backplane.busOf();
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const log: typeof bus.log = {
      mark: (topics) => bus.log.mark(topics),
      tail: (topic) => bus.log.tail(topic),
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

  test("another chat's cursor is BAD_USER_INPUT for one chat, and a place in time for all", async () => {
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

  test("the cursor of a chat that one is not in gives nothing of it", async () => {
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

describe("over SSE", () => {
  test.each([{ chatId: team }, {}])("what is newer, then what is live: %j", async (variables) => {
    await using gateway = await startGateway();
    await using client = connect(gateway.wsUrl, alice.token);
    const [after = ""] = await sendAll(client, team, ["a1", "a2", "a3"]);
    await using stream = await openEventStream(gateway.url, alice.token, MessageAddedDocument, { ...variables, after });
    await send(client, team, "a4");
    const contents: unknown[] = [];
    while (contents.length < 3) contents.push((await stream.next()).data?.messageAdded.content);
    expect(contents).toEqual(["a2", "a3", "a4"]);
  });

  test("a refusal is the last result", async () => {
    await using gateway = await startGateway({ REPLAY_LIMIT: "1" });
    await using client = connect(gateway.wsUrl, alice.token);
    const [old = ""] = await sendAll(client, team, ["a1", "a2", "a3"]);
    for (const [after, code] of [
      ["garbage", "BAD_USER_INPUT"],
      [old, "CURSOR_EXPIRED"],
    ] as const) {
      await using stream = await openEventStream(gateway.url, alice.token, MessageAddedDocument, { after });
      expect((await stream.next()).errors).toMatchObject([{ extensions: { code } }]);
      await stream.completed;
    }
    await expect(errorIn(client.run(ChatsDocument))).rejects.toThrow("expected a result with one error");
  });
});
