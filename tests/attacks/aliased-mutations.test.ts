/** One operation that does the same thing under many aliases. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { codesOf, postOperation } from "../support/http.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;
const ALIASES = 12;

test("markChatRead under many aliases is charged for each, and receipts keep no message from anybody", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: `${3 * ALIASES}/1m` });
  await using listener = connect(gateway.wsUrl, carol.token);
  await using received = listener.subscribe(MessageAddedDocument, { chatId: team });
  await using sender = connect(gateway.wsUrl, bob.token);
  await Promise.all([listener.acknowledged, sender.acknowledged]);
  const fields = Array.from({ length: ALIASES }, (_, index) => `a${index}: markChatRead(chatId: "${shop}") { readAt }`);
  const flood = await Promise.all(
    Array.from({ length: 20 }, () =>
      postOperation(gateway.url, { query: `mutation { ${fields.join(" ")} }` }, alice.token),
    ),
  );
  const refused = flood.filter(({ errors }) => codesOf(errors).includes("RATE_LIMITED"));
  // At most three could be paid for; what they caused at the REST API is charged as well.
  expect(refused.length).toBeGreaterThanOrEqual(17);
  expect(refused.every(({ status }) => status === 429)).toBe(true);
  expect(gateway.api.faults.requests.count({ token: alice.token, method: "PUT" })).toBeLessThanOrEqual(3 * ALIASES * 3);
  for (const content of ["one", "two"]) await sender.run(SendMessageDocument, { chatId: team, content });
  const contents = [await received.next(), await received.next()];
  expect(contents.map(({ messageAdded }) => messageAdded.content)).toEqual(["one", "two"]);
});
