/** What does not hold yet. */
import { describe, expect, test, vi } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { follow, page, send } from "../support/chatting.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument } from "../support/generated/graphql.ts";
import { createSeasonedBackplane } from "../support/instances.ts";
import { visit } from "../support/returning-client.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

/** The id that sorts so far among those of a chat. */
function idAt(n: number): string {
  return `${String(n).padStart(8, "0")}-0000-4000-8000-000000000000`;
}

test("a page that was read while others wrote and what is newer than it are everything, though it took several requests", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  const { data, faults } = gateway.api;
  const { id: chatId } = data.createChat({ participants: [alice.id, bob.id] });
  for (let n = 1; n <= 150; n++) {
    const createdAt = new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString();
    data.addMessage({ chatId, senderId: bob.id, content: `a${n}`, createdAt, id: idAt(n * 10) });
  }
  await using client = connect(gateway.wsUrl, alice.token);
  await client.run(ChatsDocument);
  const path = `/chats/${chatId}/messages`;
  using second = faults.hold({ method: "GET", path: /nextToken/ });
  const reading = page(client, chatId, 200);
  await second.arrived(1);
  expect(faults.requests.count({ method: "GET", path })).toBe(2);
  // One sorts into the page that has been read, the next into the one that is still to come.
  for (const [n, id] of [
    [151, idAt(5)],
    [152, idAt(9000)],
  ] as const) {
    const message = data.addMessage({ chatId, senderId: bob.id, content: `a${n}`, id });
    await tell(gateway, { type: "message.created", data: { message } });
    await vi.waitUntil(() => new Date().toISOString() > message.createdAt);
  }
  second.lift();
  const { contents, endCursor } = await reading;
  const transcript = follow(client, { chatId, after: endCursor });
  await send(client, chatId, "barrier");
  await transcript.has("barrier");
  expect([...contents, ...transcript.all].filter((content) => /^a15[12]$/.test(content)).toSorted()).toEqual([
    "a151",
    "a152",
  ]);
});

describe("from a cursor of the log, which has been lost", () => {
  test("a message that was created before it and not published yet is not missing", async () => {
    await using before = await startGateway();
    await using slow = connect(before.wsUrl, alice.token);
    await using quick = connect(before.wsUrl, bob.token);
    await using reader = connect(before.wsUrl, bob.token);
    const had = reader.subscribe(MessageAddedDocument, { chatId: shop });
    await Promise.all([reader.run(ChatsDocument), slow.acknowledged, quick.acknowledged]);
    using answer = before.api.faults.hold({ method: "POST", when: "processed", token: alice.token });
    const sending = send(slow, shop, "created first").catch(() => undefined);
    await answer.arrived(1);
    const { createdAt } = before.api.data.messages(shop).at(-1) ?? { createdAt: "" };
    await vi.waitUntil(() => new Date().toISOString() > createdAt);
    await send(quick, shop, "published first");
    const { content, cursor } = (await had.next()).messageAdded;
    expect(content).toBe("published first");
    // The gateway is gone before it has published the other one.
    await using gateway = await startGateway({ HTTP_API_URL: before.api.url });
    await using returned = connect(gateway.wsUrl, bob.token);
    const transcript = follow(returned, { chatId: shop, after: cursor });
    await send(returned, shop, "barrier");
    await transcript.has("barrier");
    expect(transcript.all).toEqual(["created first", "barrier"]);
    answer.lift();
    await sending;
  });

  test("a message of its instant that came before it does not come again", async () => {
    await using before = await startGateway({ EVENTS_SECRET });
    await using early = connect(before.wsUrl, alice.token);
    const had = early.subscribe(MessageAddedDocument, { chatId: shop });
    await early.run(ChatsDocument);
    const createdAt = new Date().toISOString();
    let cursor = "";
    for (const content of ["a1", "a2"]) {
      const message = before.api.data.addMessage({ chatId: shop, senderId: bob.id, content, createdAt });
      await tell(before, { type: "message.created", data: { message } });
      ({ cursor } = (await had.next()).messageAdded);
    }
    await using gateway = await startGateway({ HTTP_API_URL: before.api.url });
    await using reader = connect(gateway.wsUrl, alice.token);
    const transcript = follow(reader, { chatId: shop, after: cursor });
    await send(reader, shop, "a3");
    await transcript.has("a3");
    expect(transcript.all).toEqual(["a3"]);
  });
});

test("what is sent after a page was read is not dropped because its creator's clock is behind", async () => {
  await using backplane = createSeasonedBackplane();
  await using gateway = await startGateway({ EVENTS_SECRET }, { bus: backplane.busOf() });
  await using client = connect(gateway.wsUrl, alice.token);
  await send(client, team, "a1");
  const { endCursor } = await page(client, team);
  const transcript = follow(client, { chatId: team, after: endCursor });
  await client.run(ChatsDocument);
  const createdAt = new Date(Date.now() - 500).toISOString();
  const message = gateway.api.data.addMessage({ chatId: team, senderId: bob.id, content: "a2", createdAt });
  await tell(gateway, { type: "message.created", data: { message } });
  await send(client, team, "a3");
  await transcript.has("a3");
  expect(transcript.all).toEqual(["a2", "a3"]);
});

test("whoever went offline while a client was away is offline for it when it is back", async () => {
  await using gateway = await startGateway({ PRESENCE_GRACE: "0" });
  const presence = { query: "subscription { presenceChanged { user { name } online } }" };
  const leaving = connect(gateway.wsUrl, bob.token);
  await leaving.acknowledged;
  await using first = await visit(gateway.wsUrl, alice.token);
  const before = await first.follow("1", presence);
  expect(before.all).toHaveLength(1);
  await first.drop();
  await using watching = connect(gateway.wsUrl, carol.token);
  const watched = await visit(gateway.wsUrl, carol.token);
  await using _ = watched;
  await watching.acknowledged;
  const gone = await watched.follow("1", presence);
  await leaving[Symbol.asyncDispose]();
  await vi.waitUntil(() => gone.all.some((payload) => payload.includes(bob.name) && payload.includes("false")));
  await using second = await visit(gateway.wsUrl, alice.token);
  const after = await second.follow("1", presence);
  expect(after.all.filter((payload) => payload.includes(bob.name))).toEqual([
    JSON.stringify({ data: { presenceChanged: { user: { name: bob.name }, online: false } } }),
  ]);
});
