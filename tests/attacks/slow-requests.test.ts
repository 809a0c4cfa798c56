/** Requests that arrive byte by byte, or not at all. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, PERSISTENT } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { rawConnection } from "../support/tcp.ts";

const [alice, bob] = DEMO_USERS;
const { shop } = DEMO_CHATS;

const UPGRADE = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const POST =
  "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";

test.each([
  ["says nothing", ""],
  ["stops in its headers", "GET /graphql HTTP/1.1\r\nHost: lo"],
  ["stops in an upgrade's headers", UPGRADE],
  ["stops in its body", `${POST}{"query":`],
])("a connection that %s is cut, and nobody else's", async (_what, beginning) => {
  await using gateway = await startGateway({ REQUEST_TIMEOUT: "1000" });
  await using listener = connect(gateway.wsUrl, bob.token, PERSISTENT);
  await using received = listener.subscribe(MessageAddedDocument, { chatId: shop });
  await using sender = connect(gateway.wsUrl, alice.token, PERSISTENT);
  await Promise.all([listener, sender].map((client) => client.run(MeDocument)));
  await using slow = await rawConnection(gateway.url);
  if (beginning !== "") slow.send(beginning);
  expect(await slow.received).toMatch(/^(HTTP\/1\.1 408 |$)/);
  // What has been open for longer goes on.
  await sender.run(SendMessageDocument, { chatId: shop, content: "hello" });
  expect((await received.next()).messageAdded.content).toBe("hello");
  expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
});
