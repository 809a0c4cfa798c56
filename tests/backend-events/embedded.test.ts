/** The gateway on its embedded development API, which tells it of what is written there. */
import { expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { createGateway } from "../../src/gateway.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, postEvent } from "../support/events.ts";
import {
  ChatsDocument,
  MarkChatReadDocument,
  MarkReadDocument,
  MessageAddedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

/** As `npm start` without any configuration, but for what a test has to wait for or would leave behind. */
async function start(environment: Readonly<Record<string, string>> = {}) {
  const quick = { PORT: "0", DEV_API_FILE: ":memory:", DRAIN_WINDOW: "0", LOG_LEVEL: "silent" };
  const gateway = await createGateway(
    parseConfig({ ...quick, RATE_LIMIT_MESSAGES: "100000/1s", RATE_LIMIT_OPERATIONS: "100000/1s", ...environment }),
  );
  const { devApi } = gateway;
  if (!devApi) throw new Error("there is no embedded development API");
  const wsUrl = gateway.url.replace(/^http/, "ws");
  return { devApi, url: gateway.url, wsUrl, [Symbol.asyncDispose]: () => gateway.close() };
}

/** As curl does it. */
async function curl(url: string, method: string, token: string, body?: object): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/x-www-form-urlencoded" };
  return fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
}

test("what is posted to the embedded API directly arrives at the members' subscriptions", async () => {
  await using gateway = await start();
  await using member = connect(gateway.wsUrl, alice.token);
  await using outsider = connect(gateway.wsUrl, carol.token);
  const received = [member, outsider].map((client) => client.subscribe(MessageAddedDocument));
  await using receipts = member.subscribe(ReadReceiptDocument);
  await Promise.all([member, outsider].map((client) => client.run(ChatsDocument)));
  const chat = `${gateway.devApi.url}/chats/${shop}`;
  expect((await curl(`${chat}/messages`, "POST", bob.token, { content: "from the shell" })).status).toBe(201);
  expect((await received[0]?.next())?.messageAdded).toMatchObject({
    chatId: shop,
    sender: { id: bob.id, name: bob.name },
    content: "from the shell",
  });
  expect((await curl(`${chat}/read-all`, "PUT", alice.token)).status).toBe(200);
  expect((await receipts.next()).readReceipt).toMatchObject({
    chatId: shop,
    messageId: null,
    reader: { id: alice.id },
  });
  await curl(`${gateway.devApi.url}/chats/${team}/messages`, "POST", bob.token, { content: "barrier" });
  for (const each of received) expect((await each.next()).messageAdded.content).toBe("barrier");
});

test("what goes through the gateway arrives once, though the embedded API tells of it as well", async () => {
  await using gateway = await start();
  await using one = connect(gateway.wsUrl, alice.token);
  await using other = connect(gateway.wsUrl, bob.token);
  const messages = [one, other].map((client) => client.subscribe(MessageAddedDocument));
  const receipts = [one, other].map((client) => client.subscribe(ReadReceiptDocument));
  await Promise.all([one, other].map((client) => client.run(ChatsDocument)));
  const sent: string[] = [];
  for (let round = 0; round < 5; round++) {
    const sends = [one, other].map((client, index) =>
      client.run(SendMessageDocument, { chatId: shop, content: `${round}.${index}`, clientMessageId: `${round}` }),
    );
    sent.push(...(await Promise.all(sends)).map(({ sendMessage }) => sendMessage.id));
  }
  const messageId = sent.at(-1) ?? "";
  const { markRead } = await one.run(MarkReadDocument, { chatId: shop, messageId });
  const { markChatRead } = await one.run(MarkChatReadDocument, { chatId: shop });
  // Events are told in the order of the writes: after the last one's all the others have been.
  await curl(`${gateway.devApi.url}/chats/${team}/messages`, "POST", bob.token, { content: "barrier" });
  for (const each of messages) {
    const arrived: string[] = [];
    for (;;) {
      const { messageAdded } = await each.next();
      if (messageAdded.content === "barrier") break;
      arrived.push(messageAdded.id);
      expect(messageAdded.clientMessageId).not.toBeNull();
    }
    expect(arrived.toSorted()).toEqual(sent.toSorted());
  }
  for (const each of receipts) {
    expect(each.waiting.map(({ readReceipt }) => readReceipt)).toEqual([markRead, markChatRead]);
  }
});

test("what is done to the embedded API's data takes effect at once", async () => {
  await using gateway = await start();
  const { data } = gateway.devApi;
  await using staying = connect(gateway.wsUrl, alice.token);
  await using member = connect(gateway.wsUrl, carol.token);
  await using messages = member.subscribe(MessageAddedDocument);
  await Promise.all([staying, member].map((client) => client.run(ChatsDocument)));
  const chat = data.createChat({ participants: [alice.id, carol.id] });
  data.addMessage({ chatId: chat.id, senderId: alice.id, content: "a new chat" });
  expect((await messages.next()).messageAdded.content).toBe("a new chat");
  await using ofChat = member.subscribe(MessageAddedDocument, { chatId: chat.id });
  await member.run(ChatsDocument);
  const removal = data.removeMember(chat.id, carol.id);
  expect(await ofChat.ended).toMatchObject([{ extensions: { code: "NOT_PARTICIPANT" } }]);
  removal.lift();
  data.addMessage({ chatId: chat.id, senderId: alice.id, content: "welcome back" });
  expect((await messages.next()).messageAdded.content).toBe("welcome back");
  data.signOut(carol.id);
  expect(await member.closed).toMatchObject({ code: 4403 });
  expect((await staying.run(ChatsDocument)).chats.map(({ id }) => id)).toContain(chat.id);
});

test("EVENTS_SECRET is the embedded API's secret too, where it is given; without it nobody knows the secret", async () => {
  const event = { type: "user.signed_out", data: { userId: bob.id } };
  await using open = await start();
  expect(await postEvent(open.url, event)).toMatchObject({ status: 401 });
  await using gateway = await start({ EVENTS_SECRET });
  await using member = connect(gateway.wsUrl, alice.token);
  await using leaving = connect(gateway.wsUrl, bob.token);
  await using messages = member.subscribe(MessageAddedDocument);
  await Promise.all([member, leaving].map((client) => client.run(ChatsDocument)));
  expect(await postEvent(gateway.url, event)).toMatchObject({ status: 202 });
  expect(await leaving.closed).toMatchObject({ code: 4403 });
  await curl(`${gateway.devApi.url}/chats/${team}/messages`, "POST", bob.token, { content: "still told" });
  expect((await messages.next()).messageAdded.content).toBe("still told");
});
