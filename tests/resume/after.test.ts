/** A subscription that goes on from a cursor: everything newer, oldest first, then live; no gap, no duplicate. */
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { follow, page, send, sendAll } from "../support/chatting.ts";
import { connect, type TestClient } from "../support/client.ts";
import { errorIn } from "../support/errors.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument } from "../support/generated/graphql.ts";
import { createSeasonedBackplane, startInstances } from "../support/backplane.ts";
import { openEventStream } from "../support/sse.ts";
import { numbered, Transcript } from "../support/transcript.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

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
    const join = async (): Promise<readonly { readonly page: readonly string[]; readonly stream: Transcript }[]> => {
      const joins = [];
      await control.count(1);
      for (const variables of [{ chatId }, {}, { chatId }, {}, { chatId }, {}]) {
        const { contents, endCursor } = await page(reader, chatId, 500);
        joins.push({ page: contents, stream: follow(reader, { ...variables, after: endCursor }) });
      }
      return joins;
    };
    const [joins] = await Promise.all([join(), writeAll(writerUrls, chatId, 15)]);
    await control.has(...expected);
    await using barrier = connect(one.wsUrl, alice.token);
    await send(barrier, chatId, "barrier");
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
    const readAll = async (): Promise<readonly string[]> => {
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
      return read;
    };
    const [read] = await Promise.all([readAll(), writeAll([one.wsUrl, other.wsUrl], chatId, 30)]);
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
