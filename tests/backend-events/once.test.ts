/** However often something is said, and whoever says it first, clients hear it once. */
import { describe, expect, test, vi } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, postEvent, tell, type Said } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MarkChatReadDocument,
  MarkReadDocument,
  MessageAddedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";

const [alice, bob] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const start = (): Promise<TestGateway> => startGateway({ EVENTS_SECRET });

function messageEvent({ api }: TestGateway, content: string): Said {
  return {
    type: "message.created",
    data: { message: api.data.addMessage({ chatId: team, senderId: bob.id, content }) },
  };
}

test("the same webhook-id again is accepted, and delivered once", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const first = messageEvent(gateway, "first");
  await tell(gateway, first, { id: "msg_1" });
  await tell(gateway, first, { id: "msg_1" });
  // It goes by the id alone.
  await tell(gateway, messageEvent(gateway, "second"), { id: "msg_1" });
  await tell(gateway, messageEvent(gateway, "third"), { id: "msg_2" });
  expect((await messages.next()).messageAdded.content).toBe("first");
  expect((await messages.next()).messageAdded.content).toBe("third");
});

test("the same webhook-id many times at once is accepted, and delivered once", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const events = Array.from({ length: 10 }, (_, index) => messageEvent(gateway, `copy ${index}`));
  await Promise.all(events.map((event) => tell(gateway, event, { id: "msg_1" })));
  await tell(gateway, messageEvent(gateway, "barrier"));
  expect((await messages.next()).messageAdded.content).toMatch(/^copy \d$/);
  expect((await messages.next()).messageAdded.content).toBe("barrier");
});

test("a webhook-id whose event was refused may be used again", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const event = messageEvent(gateway, "corrected");
  expect(await postEvent(gateway.url, { ...event, data: {} }, { id: "msg_1" })).toMatchObject({ status: 400 });
  const other = `whsec_${Buffer.from("somebody else's secret").toString("base64")}`;
  expect(await postEvent(gateway.url, event, { id: "msg_1", secret: other })).toMatchObject({ status: 401 });
  await tell(gateway, event, { id: "msg_1" });
  expect((await messages.next()).messageAdded.content).toBe("corrected");
});

test("a message that is told of under two webhook-ids is delivered once", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const event = messageEvent(gateway, "first");
  await Promise.all([tell(gateway, event), tell(gateway, event)]);
  await tell(gateway, messageEvent(gateway, "barrier"));
  expect((await messages.next()).messageAdded.content).toBe("first");
  expect((await messages.next()).messageAdded.content).toBe("barrier");
});

describe("a message that was sent through the gateway is not delivered again", () => {
  test("when its event comes after the answer", async () => {
    await using gateway = await start();
    await using sender = connect(gateway.wsUrl, alice.token);
    await using client = connect(gateway.wsUrl, bob.token);
    const received = [sender, client].map((each) => each.subscribe(MessageAddedDocument));
    await Promise.all([sender, client].map((each) => each.run(ChatsDocument)));
    const { sendMessage } = await sender.run(SendMessageDocument, {
      chatId: shop,
      content: "hi",
      clientMessageId: "c1",
    });
    const message = gateway.api.data.messages(shop).at(-1);
    expect(message?.id).toBe(sendMessage.id);
    if (message) await tell(gateway, { type: "message.created", data: { message } });
    await tell(gateway, messageEvent(gateway, "barrier"));
    for (const each of received) {
      expect((await each.next()).messageAdded).toEqual(sendMessage);
      expect((await each.next()).messageAdded.content).toBe("barrier");
    }
  });

  test("when its event comes before the answer", async () => {
    await using gateway = await start();
    const { data, faults } = gateway.api;
    await using sender = connect(gateway.wsUrl, alice.token);
    await using client = connect(gateway.wsUrl, bob.token);
    const received = [sender, client].map((each) => each.subscribe(MessageAddedDocument));
    await Promise.all([sender, client].map((each) => each.run(ChatsDocument)));
    using gate = faults.hold({ method: "POST", when: "processed", times: 1 });
    const sending = sender.run(SendMessageDocument, { chatId: shop, content: "hi" });
    await gate.arrived();
    const message = data.messages(shop).at(-1);
    if (message) await tell(gateway, { type: "message.created", data: { message } });
    for (const each of received) expect((await each.next()).messageAdded.content).toBe("hi");
    gate.release();
    expect((await sending).sendMessage.id).toBe(message?.id);
    await tell(gateway, messageEvent(gateway, "barrier"));
    for (const each of received) expect((await each.next()).messageAdded.content).toBe("barrier");
  });
});

test("a receipt of a backend whose clock is ahead hides none that is made through the gateway later", async () => {
  await using gateway = await start();
  await using reader = connect(gateway.wsUrl, alice.token);
  await using received = reader.subscribe(ReadReceiptDocument);
  await reader.run(ChatsDocument);
  const readAt = new Date(Date.now() + 3_600_000).toISOString();
  await tell(gateway, { type: "message.read", data: { chatId: shop, userId: alice.id, readAt } });
  // More than a clock may be off later.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 5000 });
  try {
    const { markChatRead } = await reader.run(MarkChatReadDocument, { chatId: shop });
    await tell(gateway, { type: "message.read", data: { chatId: team, userId: "barrier", readAt } });
    const receipts = [await received.next(), await received.next()].map(({ readReceipt }) => readReceipt);
    expect(receipts).toMatchObject([{ chatId: shop, readAt }, markChatRead]);
  } finally {
    vi.useRealTimers();
  }
});

describe("a read receipt that was made through the gateway is not delivered again", () => {
  const BARRIER: Said = {
    type: "message.read",
    data: { chatId: team, userId: "barrier", readAt: "2026-02-01T10:00:00.000Z" },
  };

  /** What is marked, and how: one message whose instant the API says, one whose it does not, and a whole chat. */
  const marks = [
    ["of one message", "message", undefined],
    ["of one message, by an API that does not say when", "message", { body: { message: "ok" } }],
    ["of the whole chat", "chat", undefined],
    ["of the whole chat, by an API that answers nothing", "chat", { status: 204 }],
  ] as const;

  async function arrange(answer: (typeof marks)[number][2], what: "message" | "chat") {
    await using starting = new AsyncDisposableStack();
    const gateway = starting.use(await start());
    const reader = starting.use(connect(gateway.wsUrl, alice.token));
    const member = starting.use(connect(gateway.wsUrl, bob.token));
    const received = [reader, member].map((each) => starting.use(each.subscribe(ReadReceiptDocument)));
    await Promise.all([reader, member].map((each) => each.run(ChatsDocument)));
    const { data, faults } = gateway.api;
    const message = data.addMessage({ chatId: shop, senderId: bob.id, content: "read me" });
    if (answer) faults.answer(answer, { method: "PUT", when: "processed" });
    const mark = async () =>
      what === "message"
        ? (await reader.run(MarkReadDocument, { chatId: shop, messageId: message.id })).markRead
        : (await reader.run(MarkChatReadDocument, { chatId: shop })).markChatRead;
    const event = (): Said => {
      const { readAt } = data.messages(shop).at(-1) ?? {};
      if (typeof readAt !== "string") throw new Error("nothing has been read");
      const read = { chatId: shop, userId: alice.id, readAt };
      return { type: "message.read", data: what === "message" ? { ...read, messageId: message.id } : read };
    };
    const moved = starting.move();
    return { gateway, received, mark, event, [Symbol.asyncDispose]: () => moved.disposeAsync() };
  }

  test.each(marks)("%s, when its event comes after the answer", async (_which, what, answer) => {
    await using arranged = await arrange(answer, what);
    const { gateway, received, mark, event } = arranged;
    const receipt = await mark();
    await tell(gateway, event());
    await tell(gateway, BARRIER);
    for (const each of received) {
      expect((await each.next()).readReceipt).toEqual(receipt);
      expect((await each.next()).readReceipt.chatId).toBe(team);
    }
  });

  test.each(marks)("%s, when its event comes before the answer", async (_which, what, answer) => {
    await using arranged = await arrange(answer, what);
    const { gateway, received, mark, event } = arranged;
    // Rules are met in the order of their making, and one that answers is the last: the gate comes first.
    gateway.api.faults.clear();
    using gate = gateway.api.faults.hold({ method: "PUT", when: "processed", times: 1 });
    if (answer) gateway.api.faults.answer(answer, { method: "PUT", when: "processed" });
    const marking = mark();
    await gate.arrived();
    await tell(gateway, event());
    for (const each of received) expect((await each.next()).readReceipt).toMatchObject({ chatId: shop });
    gate.release();
    await marking;
    await tell(gateway, BARRIER);
    for (const each of received) expect((await each.next()).readReceipt.chatId).toBe(team);
  });

  test("but whoever reads the chat again is heard of again, on whichever way", async () => {
    await using arranged = await arrange(undefined, "chat");
    const { gateway, received, mark, event } = arranged;
    const first = await mark();
    await tell(gateway, event());
    const second = await mark();
    const readAt = new Date(Date.parse(second.readAt) + 60_000).toISOString();
    await tell(gateway, { type: "message.read", data: { chatId: shop, userId: alice.id, readAt } });
    for (const each of received) {
      const receipts = [await each.next(), await each.next(), await each.next()];
      expect(receipts.map((receipt) => receipt.readReceipt.readAt)).toEqual([first.readAt, second.readAt, readAt]);
    }
  });
});
