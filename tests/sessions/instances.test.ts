/** What is learnt of sessions and memberships on one instance takes effect on the others: two gateways on one bus. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { createTestBus } from "../support/bus.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const NOT_PARTICIPANT = [{ extensions: { code: "NOT_PARTICIPANT" } }];

interface Instances extends AsyncDisposable {
  readonly one: TestGateway;
  readonly other: TestGateway;
}

async function startInstances(): Promise<Instances> {
  await using starting = new AsyncDisposableStack();
  const bus = createTestBus();
  const one = starting.use(await startGateway({ EVENTS_SECRET }, { bus }));
  const other = starting.use(await startGateway({ EVENTS_SECRET, HTTP_API_URL: one.api.url }, { bus }));
  const running = starting.move();
  return { one, other, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

test("a message sent on one instance arrives on the other", async () => {
  await using instances = await startInstances();
  await using sender = connect(instances.one.wsUrl, alice.token);
  await using reader = connect(instances.other.wsUrl, bob.token);
  await using received = reader.subscribe(MessageAddedDocument);
  await reader.run(ChatsDocument);
  const { sendMessage } = await sender.run(SendMessageDocument, { chatId: team, content: "across" });
  expect((await received.next()).messageAdded).toEqual(sendMessage);
});

test("a sign-out told to one instance ends the user's sessions on both, and nobody else's", async () => {
  await using instances = await startInstances();
  await using here = connect(instances.one.wsUrl, alice.token);
  await using there = connect(instances.other.wsUrl, alice.token);
  await using control = connect(instances.other.wsUrl, bob.token);
  await Promise.all([here.acknowledged, there.acknowledged]);
  await using received = control.subscribe(MessageAddedDocument, { chatId: team });
  await control.run(ChatsDocument);
  await tell(instances.one, { type: "user.signed_out", data: { userId: alice.id } });
  expect(await here.closed).toMatchObject({ code: 4403 });
  expect(await there.closed).toMatchObject({ code: 4403 });
  await control.run(SendMessageDocument, { chatId: team, content: "still here" });
  expect((await received.next()).messageAdded.content).toBe("still here");
});

test("a removal that one instance is refused for ends the subscription on the other, whose socket goes on", async () => {
  await using instances = await startInstances();
  const { api } = instances.one;
  await using refused = connect(instances.one.wsUrl, bob.token);
  await using removed = connect(instances.other.wsUrl, bob.token);
  await using toOne = removed.subscribe(MessageAddedDocument, { chatId: shop });
  await using toAll = removed.subscribe(MessageAddedDocument);
  await removed.run(ChatsDocument);
  await refused.acknowledged;
  api.data.removeMember(shop, bob.id);
  await expect(refused.run(SendMessageDocument, { chatId: shop, content: "no" })).rejects.toThrow("NOT_PARTICIPANT");
  expect(await toOne.ended).toMatchObject(NOT_PARTICIPANT);
  await using alices = connect(instances.one.wsUrl, alice.token);
  await alices.run(SendMessageDocument, { chatId: shop, content: "for Alice alone" });
  await alices.run(SendMessageDocument, { chatId: team, content: "for all" });
  expect((await toAll.next()).messageAdded.content).toBe("for all");
});

test("somebody added by an event to one instance gets the chat's messages on the other at once", async () => {
  await using instances = await startInstances();
  const { api } = instances.one;
  await using added = connect(instances.other.wsUrl, carol.token);
  await using toAll = added.subscribe(MessageAddedDocument);
  await added.run(ChatsDocument);
  api.data.addMember(shop, carol.id);
  const members = [alice, bob, carol];
  await tell(instances.one, {
    type: "chat.updated",
    data: {
      chat: {
        id: shop,
        participants: members.map(({ id }) => id),
        participantNames: members.map(({ name }) => name),
        createdAt: "2026-01-28T16:00:00.000Z",
        updatedAt: "2026-01-28T16:00:00.000Z",
      },
    },
  });
  await using sender = connect(instances.one.wsUrl, alice.token);
  await sender.run(SendMessageDocument, { chatId: shop, content: "welcome" });
  expect((await toAll.next()).messageAdded.content).toBe("welcome");
});

test("an event told to both instances is delivered once", async () => {
  await using instances = await startInstances();
  await using reader = connect(instances.other.wsUrl, alice.token);
  await using received = reader.subscribe(MessageAddedDocument, { chatId: team });
  await reader.run(ChatsDocument);
  const message = instances.one.api.data.addMessage({ chatId: team, senderId: bob.id, content: "once" });
  const id = "msg_told_twice";
  await Promise.all([
    tell(instances.one, { type: "message.created", data: { message } }, { id }),
    tell(instances.other, { type: "message.created", data: { message } }, { id }),
  ]);
  await reader.run(SendMessageDocument, { chatId: team, content: "barrier" });
  expect((await received.next()).messageAdded.content).toBe("once");
  expect((await received.next()).messageAdded.content).toBe("barrier");
});
