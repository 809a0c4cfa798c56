/** One user who asks for little and makes the gateway ask the REST API for much. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { ownCursorKey } from "../../src/chat/cursor-key.ts";
import { Cursors } from "../../src/chat/cursor.ts";
import { positionAt } from "../../src/bus/position.ts";
import { startBystanders } from "../support/bystanders.ts";
import { eventually } from "../support/eventually.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { openGraphQLSocket, type RawResults } from "../support/graphql-socket.ts";

const [alice, bob] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const AFTER = "subscription ($after: String) { messageAdded(after: $after) { content } }";

/** By somebody who knows the address of the REST API, which is all that a single process without EVENTS_SECRET signs with. */
function forged({ api }: TestGateway, createdAt: string, position?: string): string {
  const key = ownCursorKey({ EVENTS_SECRET: undefined, HTTP_API_URL: api.url, REDIS_URL: undefined });
  const fields = { id: "forged", chatId: shop, sender: alice, content: "", readAt: null, clientMessageId: null };
  return new Cursors(key).of({ ...fields, createdAt, position });
}

const histories = (gateway: TestGateway): number =>
  gateway.api.faults.requests.filter({ method: "GET" }).filter(({ path }) => path.endsWith("/messages")).length;

test.each([
  ["of creation", "2999-01-01T00:00:00.000Z", undefined],
  ["in the log", new Date().toISOString(), positionAt(Date.parse("2999-01-01T00:00:00.000Z"), 0)],
])("a forged cursor of the year 2999 %s is refused without a request", async (_what, createdAt, position) => {
  await using gateway = await startGateway();
  const after = forged(gateway, createdAt, position);
  await using control = await startBystanders(gateway.wsUrl);
  await using attacker = await openGraphQLSocket(gateway.wsUrl, alice.token);
  expect(await control.talk(1)).toEqual(control.sent);
  const before = gateway.api.faults.requests.count();
  const forgeries = Array.from({ length: 50 }, () => attacker.start({ query: AFTER, variables: { after } }));
  for (const { ended } of forgeries) {
    expect(await ended).toMatchObject([{ extensions: { code: "BAD_USER_INPUT", argument: "after" } }]);
  }
  expect(gateway.api.faults.requests.count()).toBe(before);
  expect(await control.talk(1)).toEqual(control.sent);
});

test("a hundred subscriptions with cursors from long ago have each history read once or twice", async () => {
  await using gateway = await startGateway();
  for (let count = 0; count < 20; count++) gateway.api.data.createChat({ participants: [alice.id, bob.id] });
  for (let count = 0; count < 250; count++) {
    gateway.api.data.addMessage({ chatId: shop, senderId: bob.id, content: `old ${count}` });
  }
  await using control = await startBystanders(gateway.wsUrl);
  await using attacker = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const { chats } = (await attacker.run({ query: "{ chats { id } }" })) as { chats: { id: string }[] };
  const before = histories(gateway);
  const replays = Array.from({ length: 90 }, (_, index): RawResults => {
    // Each another one: what is shared does not depend on the cursor.
    const after = forged(gateway, new Date(Date.parse("2001-01-01T00:00:00.000Z") + index).toISOString());
    return attacker.start({ query: AFTER, variables: { after } });
  });
  expect(await control.talk(1)).toEqual(control.sent);
  for (const replay of replays) await eventually(() => expect(replay.all.length).toBeGreaterThan(250));
  // Three pages of one chat, a page of each of the others: twice, where somebody came after the first had begun.
  expect(histories(gateway) - before).toBeLessThanOrEqual(2 * (chats.length + 2));
  expect(await control.talk(1)).toEqual(control.sent);
});

test("a chat that is marked as read in many aliases at once is one request or two", async () => {
  await using gateway = await startGateway();
  await using control = await startBystanders(gateway.wsUrl);
  await using attacker = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const aliases = Array.from({ length: 99 }, (_, index) => `m${index}: markChatRead(chatId: "${team}") { readAt }`);
  using gate = gateway.api.faults.hold({ method: "PUT", times: 1 });
  const first = attacker.run({ query: `mutation { ${aliases.join(" ")} }` });
  await gate.arrived(1);
  const others = Array.from({ length: 40 }, () => attacker.run({ query: `mutation { ${aliases.join(" ")} }` }));
  // Answered behind them.
  attacker.socket.send(JSON.stringify({ type: "ping", payload: { behind: true } }));
  await eventually(() => expect(attacker.messages.at(-1)).toContain('"behind"'));
  expect(await control.talk(1)).toEqual(control.sent);
  gate.release();
  const answers = await Promise.all([first, ...others]);
  expect(answers.map((answer) => Object.keys(answer).length)).toEqual(answers.map(() => 99));
  expect(gateway.api.faults.requests.count({ method: "PUT" })).toBe(2);
  expect(await control.talk(1)).toEqual(control.sent);
});
