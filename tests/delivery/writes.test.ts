/** What one turn of the event loop has for a client leaves in one system call. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { openGraphQLSocket, type GraphQLSocket } from "../support/graphql-socket.ts";
import { countWrites, watchServerSockets, type ServerSockets } from "../support/server-sockets.ts";

const CHATS = { query: "{ chats { id } }" };

let gateway: TestGateway;
let servers: ServerSockets;

beforeAll(async () => {
  servers = watchServerSockets();
  gateway = await startGateway({ TYPING_TIMEOUT: "600000" });
});
afterAll(async () => {
  await gateway.close();
  servers[Symbol.dispose]();
});

function open(index: number): Promise<GraphQLSocket> {
  return openGraphQLSocket(gateway.wsUrl, gateway.api.users[index]?.token);
}

/** Ten changes: one after the other, in the promise jobs of one turn. */
function tenChanges(chatId: string): string {
  const change = (_: unknown, index: number): string =>
    `c${index}: setTyping(chatId: "${chatId}", isTyping: ${index % 2 === 0}) { isTyping }`;
  return `mutation { ${Array.from({ length: 10 }, change).join(" ")} }`;
}

test("ten events of one turn are one write to each who gets them, and to nobody else any", async () => {
  const chatId = gateway.api.demoChatId;
  await using alice = await open(0);
  await using bob = await open(1);
  await using carol = await open(2);
  await using silent = await open(2);
  const query = "subscription ($chatId: ID) { typingChanged(chatId: $chatId) { isTyping } }";
  const started = [
    bob.start({ query, variables: { chatId } }),
    bob.start({ query }, "another id"),
    carol.start({ query, variables: { chatId } }),
  ];
  for (const reader of [bob, carol, silent]) await reader.run(CHATS);
  const [toBob, toCarol, toSilent] = [bob, carol, silent].map((client) => countWrites(servers.of(client.transport)));
  await alice.run({ query: tenChanges(chatId) });
  const received = await Promise.all(
    started.map((results) => Promise.all(Array.from({ length: 10 }, () => results.next()))),
  );
  const told = received.map((texts) => texts.map((text) => text.includes("true")));
  expect(told).toEqual(Array.from({ length: 3 }, () => Array.from({ length: 10 }, (_, index) => index % 2 === 0)));
  expect(toBob?.count, "twenty messages").toBe(1);
  expect(toCarol?.count, "ten messages").toBe(1);
  expect(toSilent?.count).toBe(0);
  // And the next turn's has its own. Somebody else's: a user who changes that often is published less often.
  await silent.run({ query: tenChanges(chatId) });
  await Promise.all(started.slice(0, 2).map((results) => results.next()));
  expect(toBob?.count).toBe(2);
});

test("an event that comes with the answer to the mutation that caused it is no write of its own", async () => {
  const chatId = gateway.api.demoChatId;
  await using subscribed = await open(0);
  await using plain = await open(0);
  await using bob = await open(1);
  const query = "subscription { messageAdded { content } }";
  const [own, others] = [subscribed.start({ query }), bob.start({ query })];
  for (const reader of [subscribed, bob]) await reader.run(CHATS);
  const [toSubscribed, toPlain, toBob] = [subscribed, plain, bob].map((client) =>
    countWrites(servers.of(client.transport)),
  );
  const content = "hello ".repeat(1000).trim();
  const mutation = { query: `mutation { sendMessage(chatId: "${chatId}", content: "${content}") { content } }` };
  await subscribed.run(mutation);
  expect(JSON.parse(await own.next())).toEqual({ data: { messageAdded: { content } } });
  expect(await others.next()).toBe(own.all[0]);
  expect(toBob?.count).toBe(1);
  const withEvent = toSubscribed?.count;
  await plain.run(mutation);
  expect(toPlain?.count).toBe(withEvent);
});

test("the counter sees what is written at different times", async () => {
  await using alice = await open(0);
  const toAlice = countWrites(servers.of(alice.transport));
  const counts: number[] = [];
  for (let round = 0; round < 3; round++) {
    await alice.run(CHATS);
    counts.push(toAlice.count);
  }
  const [first = 0] = counts;
  expect(first).toBeGreaterThan(0);
  expect(counts).toEqual([first, 2 * first, 3 * first]);
});
