/** What the development API can do beyond the contract. */
import { expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { startDevApi } from "../../src/dev/api.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { createGateway } from "../../src/gateway.ts";
import { connect } from "../support/client.ts";
import { ChatsChangedDocument } from "../support/generated/graphql.ts";
import { upgradeStatus } from "../support/raw-socket.ts";
import { silentLog } from "../support/silent-log.ts";
import { call } from "./client.ts";

const [alice, bob, carol] = DEMO_USERS;
const { pair, shop } = DEMO_CHATS;

const EMBEDDED = { PORT: "0", HOST: "127.0.0.1", DEV_API_FILE: ":memory:", DRAIN_WINDOW: "0" };

test("a list of chats follows what is done to the embedded API over HTTP", async () => {
  await using gateway = await createGateway(parseConfig(EMBEDDED), { log: silentLog() });
  const { devApi } = gateway;
  if (!devApi) throw new Error("the embedded API does not run");
  await using client = connect(gateway.url.replace("http", "ws"), alice.token);
  await using received = client.subscribe(ChatsChangedDocument);
  await received.next();
  const next = async (): Promise<unknown> => {
    const { changed, removedIds } = (await received.next()).chatsChanged;
    return [...changed.map(({ title, participants }) => [title, participants.length]), ...removedIds];
  };
  const body = { participants: [carol.id], storeName: "New" };
  const created = await call(devApi, "POST /chats", { body });
  expect(created).toMatchObject({ status: 201, body: { chat: { participants: [alice.id, carol.id] } } });
  expect(await next()).toEqual([["New", 2]]);
  const { chat } = created.body as { chat: { id: string } };
  const path = `/chats/${chat.id}`;
  await call(devApi, `PATCH ${path}`, { body: { storeName: "Renamed" } });
  expect(await next()).toEqual([["Renamed", 2]]);
  await call(devApi, `POST ${path}/participants`, { body: { userId: bob.id } });
  expect(await next()).toEqual([["Renamed", 3]]);
  await call(devApi, `PATCH ${path}`, { token: bob.token, body: { storeName: null } });
  expect(await next()).toEqual([[null, 3]]);
  await call(devApi, `DELETE ${path}/participants/${alice.id}`, { token: carol.token });
  expect(await next()).toEqual([chat.id]);
  expect(await call(devApi, `DELETE ${path}`)).toMatchObject({ status: 403 });
  expect(await call(devApi, `DELETE /chats/${shop}`)).toMatchObject({ status: 200 });
  expect(await next()).toEqual([shop]);
});

test("a token that is asked for is the same user's, and expires when it says", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const { status, body } = await call(api, "POST /auth/tokens", { body: { expiresInSeconds: 3600 } });
  const { token, expiresAt } = body as { token: string; expiresAt: string };
  expect(status).toBe(201);
  const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  expect(claims).toMatchObject({ sub: alice.id, exp: Date.parse(expiresAt) / 1000 });
  expect(await call(api, "GET /auth/profile", { token })).toMatchObject({ body: { user: { userId: alice.id } } });
  expect(await call(api, "POST /auth/tokens")).toMatchObject({ status: 201 });
  expect(await call(api, "POST /auth/tokens", { body: { expiresInSeconds: -1 } })).toMatchObject({ status: 400 });
});

test.each([
  ["POST /chats", { participants: ["nobody"] }, 400],
  ["POST /chats", {}, 400],
  [`PATCH /chats/${pair}`, { storeName: "mine" }, 403],
  ["PATCH /chats/none", { storeName: "mine" }, 404],
  [`POST /chats/${shop}/participants`, { userId: "nobody" }, 400],
  [`DELETE /chats/${shop}/participants/${carol.id}`, undefined, 404],
])("%s with %j is refused with %i", async (request, body, status) => {
  await using api = await startDevApi({ file: ":memory:" });
  expect(await call(api, request, body ? { body } : {})).toMatchObject({ status, body: { error: expect.any(String) } });
});

test("with the embedded API alone, pages of this machine are allowed from any port", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  await using embedded = await createGateway(parseConfig(EMBEDDED), { log: silentLog() });
  const foreign = { ...EMBEDDED, HTTP_API_URL: api.url };
  await using other = await createGateway(parseConfig(foreign), { log: silentLog() });
  const statusOf = (gateway: { readonly url: string }, origin: string) =>
    upgradeStatus(gateway.url.replace("http", "ws"), { headers: { origin } });
  const loopback = ["http://localhost:3000", "http://127.0.0.1:4200", "https://[::1]:5174", "http://app.localhost"];
  const foreigners = ["http://localhost.example.com", "http://127.0.0.1.example.com", "https://evil.example", "null"];
  for (const origin of loopback) expect([origin, await statusOf(embedded, origin)]).toEqual([origin, 101]);
  for (const origin of loopback) expect([origin, await statusOf(other, origin)]).toEqual([origin, 403]);
  for (const origin of foreigners) expect([origin, await statusOf(embedded, origin)]).toEqual([origin, 403]);
});
