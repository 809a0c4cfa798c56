/** Between a page of the history and what is live: what is written while the one is read and before the other begins. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { follow, page, send } from "../support/chatting.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument } from "../support/generated/graphql.ts";
import { createSeasonedBackplane } from "../support/backplane.ts";

const [alice, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

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
    await expect.poll(() => new Date().toISOString() > message.createdAt).toBe(true);
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
