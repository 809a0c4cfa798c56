/** What `POST /events` answers to requests that are right and to those that are not. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { EVENTS_SECRET, postEvent, tell, type EventOptions, type Said } from "../support/events.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { rawConnection } from "../support/tcp.ts";

const [alice, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

const MESSAGE = {
  id: "m1",
  chatId: team,
  senderId: bob.id,
  senderName: bob.name,
  content: "told",
  createdAt: "2026-02-01T10:00:00.000Z",
};

const CREATED: Said = { type: "message.created", data: { message: MESSAGE } };

const BARE = EVENTS_SECRET.replace("whsec_", "");
const OTHER_SECRET = `whsec_${Buffer.from("a secret of somebody else").toString("base64")}`;
const WRONG_SIGNATURE = `v1,${Buffer.alloc(32).toString("base64")}`;

function start(environment: Readonly<Record<string, string>> = {}) {
  return startDiscreetGateway({ EVENTS_SECRET, ...environment }, { secrets: [EVENTS_SECRET, BARE] });
}

/** Seconds from now. */
const inSeconds = (seconds: number): Date => new Date(Date.now() + seconds * 1000);

test("events that are not signed, or long ago, are refused with 401, and nobody hears of them", async () => {
  const refused: readonly (readonly [string, EventOptions])[] = [
    ["another secret", { secret: OTHER_SECRET }],
    ["a signature of something else", { headers: { "webhook-signature": WRONG_SIGNATURE } }],
    ["a signature that is none", { headers: { "webhook-signature": "v1" } }],
    ["an unknown version", { headers: { "webhook-signature": WRONG_SIGNATURE.replace("v1", "v2") } }],
    ["another id than was signed", { headers: { "webhook-id": "msg_other" } }],
    ["another time than was signed", { headers: { "webhook-timestamp": String(Math.floor(Date.now() / 1000) - 7) } }],
    ["a time that is none", { headers: { "webhook-timestamp": "now" } }],
    ["no signature", { headers: { "webhook-signature": null } }],
    ["no id", { headers: { "webhook-id": null } }],
    ["no time", { headers: { "webhook-timestamp": null } }],
    ["a time over five minutes ago", { signedAt: inSeconds(-310) }],
    // So far ahead that it stays so while the others are refused.
    ["a time over five minutes ahead", { signedAt: inSeconds(400) }],
  ];
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const answers: unknown[] = [];
  for (const [what, options] of refused) answers.push([what, (await postEvent(gateway.url, CREATED, options)).status]);
  expect(answers).toEqual(refused.map(([what]) => [what, 401]));
  await client.run(SendMessageDocument, { chatId: team, content: "barrier" });
  expect((await messages.next()).messageAdded.content).toBe("barrier");
});

test.each<[string, () => EventOptions]>([
  ["almost five minutes ago", () => ({ signedAt: inSeconds(-240) })],
  ["almost five minutes ahead", () => ({ signedAt: inSeconds(280) })],
  ["with a secret without its prefix", () => ({ secret: BARE })],
])("an event that was signed %s is accepted", async (_what, optionsOf) => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  expect(await postEvent(gateway.url, CREATED, optionsOf())).toMatchObject({ status: 202, body: "" });
  expect((await messages.next()).messageAdded.content).toBe("told");
});

test("a backend that is changing its secret signs with both, and EVENTS_SECRET needs no prefix", async () => {
  await using gateway = await start({ EVENTS_SECRET: BARE });
  const { Webhook } = await import("standardwebhooks");
  const [id, signedAt] = ["msg_1", new Date()];
  const body = JSON.stringify({ timestamp: signedAt.toISOString(), ...CREATED });
  const signatures = [OTHER_SECRET, EVENTS_SECRET].map((secret) => new Webhook(secret).sign(id, signedAt, body));
  const headers = { "webhook-signature": signatures.join(" ") };
  expect(await postEvent(gateway.url, body, { id, signedAt, headers })).toMatchObject({ status: 202 });
});

test("while the secret is being changed the gateway takes events that are signed with either", async () => {
  await using gateway = await start({ EVENTS_SECRET: `${OTHER_SECRET}, ${EVENTS_SECRET}` });
  expect(await postEvent(gateway.url, CREATED, { secret: EVENTS_SECRET })).toMatchObject({ status: 202 });
  expect(await postEvent(gateway.url, CREATED, { secret: OTHER_SECRET })).toMatchObject({ status: 202 });
  const third = `whsec_${Buffer.alloc(24, "third").toString("base64")}`;
  expect(await postEvent(gateway.url, CREATED, { secret: third })).toMatchObject({ status: 401 });
});

/** A body, and the beginning of what is said about it. */
const WRONG: readonly (readonly [string, string | Readonly<Record<string, unknown>>, string])[] = [
  ["not JSON", "{", "The body is not JSON."],
  ["nothing", "", "The body is not JSON."],
  ["JSON, but no object", "[]", "the body: "],
  ["null", "null", "the body: "],
  ["without a type", { data: {} }, "type: "],
  ["of an unknown type", { type: "message.edited", data: {} }, "type: "],
  ["without a time", { ...CREATED, timestamp: undefined }, "timestamp: "],
  ["without data", { type: "user.signed_out" }, "data: "],
  [
    "a message without its sender",
    { type: "message.created", data: { message: { ...MESSAGE, senderId: undefined } } },
    "data.message.senderId: ",
  ],
  [
    "a message with a wrong instant",
    { type: "message.created", data: { message: { ...MESSAGE, createdAt: "then" } } },
    "data.message.createdAt: ",
  ],
  [
    "a receipt without a reader",
    { type: "message.read", data: { chatId: team, readAt: "2026-02-01T10:00:00Z" } },
    "data.userId: ",
  ],
  ["a receipt without an instant", { type: "message.read", data: { chatId: team, userId: bob.id } }, "data.readAt: "],
  ["a chat without participants", { type: "chat.created", data: { chat: { id: team } } }, "data.chat.participants: "],
  ["a changed chat without an id", { type: "chat.updated", data: { chat: {} } }, "data.chat.id: "],
  ["a deleted chat without an id", { type: "chat.deleted", data: {} }, "data.chatId: "],
  ["nobody who signed out", { type: "user.signed_out", data: { userId: "" } }, "data.userId: "],
];

test("signed bodies that are wrong are refused with 400, which names the field", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  for (const [what, body, said] of WRONG) {
    const answer = await postEvent(gateway.url, body);
    const { error } = JSON.parse(answer.body) as { error: string };
    expect([what, answer.status, error.slice(0, said.length)]).toEqual([what, 400, said]);
  }
  await tell(gateway, CREATED);
  expect((await messages.next()).messageAdded.content).toBe("told");
});

test("a body that begins with a byte order mark is accepted", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  const added = client.subscribe(MessageAddedDocument, { chatId: team });
  await client.run(ChatsDocument);
  const body = `\ufeff${JSON.stringify({ ...CREATED, timestamp: new Date().toISOString() })}`;
  expect(await postEvent(gateway.url, body)).toMatchObject({ status: 202, body: "" });
  expect((await added.next()).messageAdded.id).toBe("m1");
});

test("of an unsigned body nothing is said but that it is unsigned", async () => {
  await using gateway = await start();
  const answer = await postEvent(gateway.url, "{", { secret: OTHER_SECRET });
  expect(answer).toMatchObject({ status: 401, body: '{"error":"The signature or its time is wrong."}' });
});

test("a body over MAX_PAYLOAD_SIZE is refused with 413, and what is not over is taken", async () => {
  await using gateway = await start({ MAX_PAYLOAD_SIZE: "2000" });
  const body = JSON.stringify({ timestamp: new Date().toISOString(), ...CREATED });
  expect(await postEvent(gateway.url, body.padEnd(2001))).toMatchObject({
    status: 413,
    body: '{"error":"An event has at most 2000 bytes."}',
  });
  expect(await postEvent(gateway.url, body.padEnd(1_000_000))).toMatchObject({ status: 413 });
  expect(await postEvent(gateway.url, body.padEnd(2000))).toMatchObject({ status: 202 });
});

test("a body over MAX_PAYLOAD_SIZE whose length is not told before is refused with 413 as soon as it is", async () => {
  await using gateway = await start({ MAX_PAYLOAD_SIZE: "2000" });
  const { promise, resolve, reject } = Promise.withResolvers<[number | undefined, string]>();
  const posting = request(new URL("/events", gateway.url), { method: "POST" }, (response) => {
    text(response).then((body) => resolve([response.statusCode, body]), reject);
  });
  posting.on("error", reject);
  // It never ends.
  posting.write("x".repeat(2001));
  expect(await promise).toEqual([413, '{"error":"An event has at most 2000 bytes."}']);
  posting.destroy();
});

test.each(["GET", "PUT", "DELETE", "OPTIONS"])("%s is refused with 405, which says what is allowed", async (method) => {
  await using gateway = await start();
  const response = await fetch(new URL("/events", gateway.url), { method });
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  await response.body?.cancel();
});

test("without EVENTS_SECRET there is no such route", async () => {
  await using gateway = await startDiscreetGateway();
  expect(await postEvent(gateway.url, CREATED)).toMatchObject({ status: 404 });
  await using client = connect(gateway.wsUrl, alice.token);
  expect((await client.run(ChatsDocument)).chats).not.toHaveLength(0);
});

test("a request that breaks off within its body is no error of the gateway's", async () => {
  await using gateway = await startDiscreetGateway({ EVENTS_SECRET });
  const broke = gateway.line({ msg: "a request to /events broke off" });
  await using connection = await rawConnection(gateway.url);
  connection.send("POST /events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{");
  connection.socket.end();
  await broke;
  expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
});
