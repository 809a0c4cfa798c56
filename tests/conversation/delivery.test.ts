import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { runnerOver, TRANSPORTS } from "../support/runner.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;

test("messages come of one chat or of all, and never of others' chats", async () => {
  await using gateway = await startGateway();
  await using sender = connect(gateway.wsUrl, bob.token);
  await using reader = connect(gateway.wsUrl, carol.token);
  await using ofAll = reader.subscribe(MessageAddedDocument);
  await using ofPair = reader.subscribe(MessageAddedDocument, { chatId: pair });
  await reader.run(ChatsDocument);
  for (const chatId of [shop, team, shop, pair]) await sender.run(SendMessageDocument, { chatId, content: "hello" });
  expect([await ofAll.next(), await ofAll.next()].map((event) => event.messageAdded.chatId)).toEqual([team, pair]);
  expect((await ofPair.next()).messageAdded.chatId).toBe(pair);
});

test("both connections of a user get a message once on each subscription", async () => {
  await using gateway = await startGateway();
  await using one = connect(gateway.wsUrl, alice.token);
  await using two = connect(gateway.wsUrl, alice.token);
  const received = [one, two].flatMap((client) => [
    client.subscribe(MessageAddedDocument),
    client.subscribe(MessageAddedDocument, { chatId: shop }),
    client.subscribe(MessageAddedDocument, { chatId: shop }),
  ]);
  await Promise.all([one.run(ChatsDocument), two.run(ChatsDocument)]);
  for (const content of ["first", "second"]) await one.run(SendMessageDocument, { chatId: shop, content });
  for (const stream of received) {
    expect((await stream.next()).messageAdded.content).toBe("first");
    expect((await stream.next()).messageAdded.content).toBe("second");
  }
});

test("a subscription that was completed gets nothing more, and its neighbours go on", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  const stopped = [client.subscribe(MessageAddedDocument), client.subscribe(MessageAddedDocument, { chatId: shop })];
  await using ofAll = client.subscribe(MessageAddedDocument);
  await using ofShop = client.subscribe(MessageAddedDocument, { chatId: shop });
  await client.run(ChatsDocument);
  for (const subscription of stopped) subscription.stop();
  await client.run(ChatsDocument);
  await client.run(SendMessageDocument, { chatId: shop, content: "hello" });
  expect((await ofAll.next()).messageAdded.content).toBe("hello");
  expect((await ofShop.next()).messageAdded.content).toBe("hello");
  expect(stopped.map(({ waiting }) => waiting)).toEqual([[], []]);
});

test("in one chat everybody gets the messages of several senders in the same order", async () => {
  await using gateway = await startGateway();
  await using stack = new AsyncDisposableStack();
  const clients = DEMO_USERS.map(({ token }) => stack.use(connect(gateway.wsUrl, token)));
  const readers = clients.flatMap((client) => [
    client.subscribe(MessageAddedDocument),
    client.subscribe(MessageAddedDocument, { chatId: team }),
  ]);
  await Promise.all(clients.map((client) => client.run(ChatsDocument)));
  const contents = Array.from({ length: 60 }, (_, n) => `message ${n}`);
  await Promise.all(
    clients.flatMap((client, nth) =>
      contents
        .filter((_content, n) => n % clients.length === nth)
        .map((content) => client.run(SendMessageDocument, { chatId: team, content })),
    ),
  );
  const orders: string[][] = [];
  for (const reader of readers) {
    const order: string[] = [];
    while (order.length < contents.length) order.push((await reader.next()).messageAdded.content);
    orders.push(order);
  }
  for (const order of orders) expect(order).toEqual(orders[0]);
  expect(orders[0]?.toSorted()).toEqual(contents.toSorted());
});

describe.each(TRANSPORTS)("a chat created after everybody has connected, over %s", (transport) => {
  test("can be sent to at once, and its messages reach all its members' subscriptions to all chats", async () => {
    await using gateway = await startGateway();
    await using sender = runnerOver(transport, gateway, alice.token);
    await using own = connect(gateway.wsUrl, alice.token);
    await using reader = connect(gateway.wsUrl, bob.token);
    await using outsider = connect(gateway.wsUrl, carol.token);
    const ofAll = [own, reader].map((client) => client.subscribe(MessageAddedDocument));
    await using outside = outsider.subscribe(MessageAddedDocument);
    await Promise.all([own, reader, outsider].map((client) => client.run(ChatsDocument)));
    const { id: chatId } = gateway.api.data.createChat({ participants: [alice.id, bob.id] });
    const { sendMessage } = await sender.run(SendMessageDocument, { chatId, content: "first" });
    for (const received of ofAll) expect((await received.next()).messageAdded).toEqual(sendMessage);
    await reader.run(SendMessageDocument, { chatId, content: "answer" });
    for (const received of ofAll) expect((await received.next()).messageAdded.content).toBe("answer");
    await reader.run(SendMessageDocument, { chatId: team, content: "barrier" });
    expect((await outside.next()).messageAdded.content).toBe("barrier");
  });

  test("can be subscribed to at once", async () => {
    await using gateway = await startGateway();
    await using sender = runnerOver(transport, gateway, alice.token);
    await using reader = connect(gateway.wsUrl, bob.token);
    await reader.acknowledged;
    const { id: chatId } = gateway.api.data.createChat({ participants: [alice.id, bob.id] });
    await using received = reader.subscribe(MessageAddedDocument, { chatId });
    await reader.run(ChatsDocument);
    const { sendMessage } = await sender.run(SendMessageDocument, { chatId, content: "first" });
    expect((await received.next()).messageAdded).toEqual(sendMessage);
  });
});
