/** Who has read what, as deployments say it: in a record, in the answer to a mark, or not at all. */
import { expect, test } from "vitest";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { postOperation } from "../support/http.ts";
import { json } from "../support/scripted-server.ts";
import { AT, byToken, chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";

const MEMBERS = { participants: ["ann", "ben", "cat"], participantNames: ["Ann", "Ben", "Cat"] };

const MARK = { query: 'mutation { markRead(chatId: "c1", messageId: "m1") { readAt } }' };

function ofAnn(id: string, more: object = {}): Record<string, unknown> {
  return messageRecord(id, "c1", { senderId: "ann", senderName: "Ann", ...more });
}

async function dataOf({ url }: TestGateway, query: string, token: string): Promise<unknown> {
  return (await postOperation(url, { query }, token)).data;
}

test("a message was read when the first of the others read it, and by each when that one read it first", async () => {
  const message = ofAnn("m1");
  await using api = await startSmallApi({
    chats: [chatRecord("c1", MEMBERS)],
    messages: { c1: { messages: [message] } },
    answer: byToken,
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url, EVENTS_SECRET });
  await using ann = await openGraphQLSocket(gateway.wsUrl, "ann");
  const receipts = ann.start({ query: "subscription { readReceipt { reader { id } } }" });
  await ann.run({ query: "{ chats { id } }" });
  const instants = [1, 2, 3].map((minute) => new Date(Date.parse(AT) + minute * 60_000).toISOString());
  const [byBen, byCat] = instants;
  const query = '{ chat(id: "c1") { messages { nodes { readAt readBy { reader { id } readAt } } } } }';
  for (const [index, userId] of ["ben", "cat", "ben"].entries()) {
    await tell(gateway, { type: "message.read", data: { chatId: "c1", userId, readAt: instants[index] ?? "" } });
    await receipts.next();
  }
  const readers = [
    { reader: { id: "ben" }, readAt: byBen },
    { reader: { id: "cat" }, readAt: byCat },
  ];
  expect(await dataOf(gateway, query, "ann")).toEqual({
    chat: { messages: { nodes: [{ readAt: byBen, readBy: expect.toBeOneOf([readers, readers.toReversed()]) }] } },
  });
});

test("where it is said who has read a message, it counts as unread for the others", async () => {
  const readBy = (...users: string[]): object => ({ readBy: users.map((userId) => ({ userId, readAt: AT })) });
  const messages = [
    ofAnn("m1", readBy("cat")),
    ofAnn("m2", readBy("cat", "ben")),
    ofAnn("m3", { readAt: AT, readBy: [] }),
    ofAnn("m4"),
  ];
  await using api = await startSmallApi({
    chats: [chatRecord("c1", { ...MEMBERS, unreadCount: undefined })],
    messages: { c1: { messages } },
    answer: byToken,
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  const query = '{ chat(id: "c1") { unreadCount } }';
  const counts = await Promise.all(["ann", "ben", "cat"].map((token) => dataOf(gateway, query, token)));
  expect(counts).toEqual([0, 2, 1].map((unreadCount) => ({ chat: { unreadCount } })));
});

test.each([1_769_850_600, "", "yesterday", "0001-01-01T00:00:00Z", null])(
  "an answer to a mark whose instant is %j says that it is done",
  async (readAt) => {
    await using api = await startSmallApi({
      chats: [chatRecord("c1", MEMBERS)],
      answer: (request) => (request.method === "PUT" ? json(200, { message: "ok", readAt }) : byToken(request)),
    });
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    const before = new Date().toISOString();
    await using ben = await openGraphQLSocket(gateway.wsUrl, "ben");
    const { markRead } = (await ben.run(MARK)) as { markRead: { readAt: string } };
    expect(markRead.readAt >= before).toBe(true);
  },
);

test.each([
  ["a number", { nextToken: 2 }, ["new", "old"]],
  ["false", { nextToken: false }, ["new"]],
])("a page whose continuation is %s is read", async (_, continuation, expected) => {
  await using api = await startSmallApi({
    chats: [chatRecord("c1", MEMBERS)],
    answer: (request) => {
      if (!request.url.startsWith("/chats/c1/messages")) return byToken(request);
      const isSecond = request.url.includes("nextToken=2");
      return json(200, isSecond ? { messages: [ofAnn("old")] } : { messages: [ofAnn("new")], ...continuation });
    },
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  const data = await dataOf(gateway, '{ chat(id: "c1") { messages { nodes { id } } } }', "ben");
  const ids = (data as { chat: { messages: { nodes: { id: string }[] } } }).chat.messages.nodes.map(({ id }) => id);
  expect(ids.toSorted()).toEqual(expected);
});
