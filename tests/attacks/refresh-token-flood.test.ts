/** `refreshToken` as another door for tokens that nobody has issued. */
import { randomUUID } from "node:crypto";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql";
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { refusal } from "../support/errors.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { codesOf, postOperation } from "../support/http.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop } = DEMO_CHATS;
const REFRESH: TypedDocumentNode<{ refreshToken: { id: string } }, { token: string }> = parse(
  "mutation ($token: String!) { refreshToken(token: $token) { id } }",
);
const PROFILE = { method: "GET", path: "/auth/profile" };

test("a hundred random tokens on one connection are asked about one at a time, within the allowance", async () => {
  const limit = 5;
  await using gateway = await startGateway({ RATE_LIMIT_FAILED_AUTH: `${limit}/1m` });
  await using flooder = connect(gateway.wsUrl, alice.token);
  await using listener = connect(gateway.wsUrl, bob.token);
  await using received = listener.subscribe(MessageAddedDocument, { chatId: shop });
  await Promise.all([flooder.acknowledged, listener.acknowledged]);
  const before = gateway.api.faults.requests.count(PROFILE);
  const gate = gateway.api.faults.hold({ path: "/auth/profile" });
  const flood = Array.from({ length: 100 }, () => refusal(flooder.run(REFRESH, { token: randomUUID() })));
  await gate.arrived(1);
  // What was sent after them is answered, and no second one has been asked about.
  await flooder.run(SendMessageDocument, { chatId: shop, content: "hello" });
  expect((await received.next()).messageAdded.content).toBe("hello");
  expect(gateway.api.faults.requests.count(PROFILE) - before).toBe(1);
  gate.release();
  expect(new Set((await Promise.all(flood)).map(({ code }) => code))).toEqual(new Set(["UNAUTHENTICATED"]));
  expect(gateway.api.faults.requests.count(PROFILE) - before).toBe(limit);
  // The session goes on, and so does everybody's who is known; the address has no allowance left.
  expect((await flooder.run(MeDocument)).me.id).toBe(alice.id);
  expect((await listener.run(MeDocument)).me.id).toBe(bob.id);
  const unknown = await postOperation(gateway.url, { query: "{ me { id } }" }, carol.token);
  expect(codesOf(unknown.errors)).toEqual(["UNAUTHENTICATED"]);
  // Nor does that keep another session of the address from being renewed.
  const fresh = gateway.api.data.issueToken(bob.id);
  expect((await listener.run(REFRESH, { token: fresh })).refreshToken.id).toBe(bob.id);
});
