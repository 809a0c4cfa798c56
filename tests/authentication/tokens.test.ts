/** Where a token may stand, and what becomes of a connection or a request without a valid one. */
import { describe, expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { ChatsDocument, MeDocument } from "../support/generated/graphql.ts";
import { codesOf, fetchResult, postOperation } from "../support/http.ts";
import { openRaw } from "../support/raw-socket.ts";

const BAD = "refused-token";
const SECRETS = { secrets: [BAD] };

/** What stands in the places, given a token that is good. */
interface Places {
  readonly params?: (good: string) => unknown;
  readonly header?: (good: string) => string;
}

describe("connection_ack", () => {
  test("carries the user's id and the ids of the user's chats, and nothing else", async () => {
    await using gateway = await startDiscreetGateway();
    for (const { id, token } of gateway.api.users) {
      await using client = connect(gateway.wsUrl, token);
      const { chats } = await client.run(ChatsDocument);
      const { chatIds, ...rest } = await client.acknowledged;
      expect(rest).toEqual({ userId: id });
      expect(new Set(chatIds as string[])).toEqual(new Set(chats.map((chat) => chat.id)));
      expect(chatIds).toHaveLength(chats.length);
    }
  });

  test("carries an empty list for a user without chats", async () => {
    await using gateway = await startDiscreetGateway();
    const { id, token } = gateway.api.data.createUser({ name: "Dora", token: "dora-token" });
    await using client = connect(gateway.wsUrl, token);
    expect(await client.acknowledged).toEqual({ userId: id, chatIds: [] });
  });
});

describe("a WebSocket is taken in with its token", () => {
  test.each<[what: string, places: Places]>([
    ["in connectionParams.token", { params: (token) => ({ token }) }],
    ["in connectionParams.authorization", { params: (token) => ({ authorization: `Bearer ${token}` }) }],
    ["in connectionParams.Authorization", { params: (token) => ({ Authorization: `Bearer ${token}` }) }],
    ["in connectionParams.Authorization, in lower case", { params: (token) => ({ Authorization: `bearer ${token}` }) }],
    ["in the upgrade request's header", { header: (token) => `Bearer ${token}` }],
    ["in the header, connectionParams being empty", { params: () => ({}), header: (token) => `Bearer ${token}` }],
    ["in the header, connectionParams being null", { params: () => null, header: (token) => `Bearer ${token}` }],
    [
      "in the header, other connectionParams beside",
      { params: () => ({ client: "x" }), header: (token) => `Bearer ${token}` },
    ],
    ["in connectionParams, before a bad header", { params: (token) => ({ token }), header: () => `Bearer ${BAD}` }],
    [
      "in connectionParams.token, before bad ones beside",
      { params: (token) => ({ token, authorization: `Bearer ${BAD}`, Authorization: `Bearer ${BAD}` }) },
    ],
    [
      "in connectionParams.authorization, before a bad one beside",
      { params: (token) => ({ authorization: `Bearer ${token}`, Authorization: `Bearer ${BAD}` }) },
    ],
    [
      "in connectionParams.authorization, token being no text",
      { params: (token) => ({ token: null, authorization: `Bearer ${token}` }) },
    ],
  ])("%s", async (_what, { params, header }) => {
    await using gateway = await startDiscreetGateway({}, SECRETS);
    const { id = "", token = "" } = gateway.api.users[0] ?? {};
    await using raw = await openRaw(gateway.wsUrl, header ? { headers: { authorization: header(token) } } : {});
    raw.send({ type: "connection_init", ...(params && { payload: params(token) }) });
    expect(await raw.next()).toMatchObject({ type: "connection_ack", payload: { userId: id } });
    expect(gateway.api.faults.requests.count({ token: BAD })).toBe(0);
  });
});

describe("a WebSocket is closed with 4403 where its token is", () => {
  test.each<[what: string, reason: string, places: Places]>([
    ["missing, and so are connectionParams", "Token missing", {}],
    ["missing", "Token missing", { params: () => ({}) }],
    ["refused", "Token refused", { params: () => ({ token: BAD }) }],
    ["refused in the header", "Token refused", { header: () => `Bearer ${BAD}` }],
    [
      "refused, with a good one in the header",
      "Token refused",
      { params: () => ({ token: BAD }), header: (good) => `Bearer ${good}` },
    ],
    [
      "refused, with a good one beside",
      "Token refused",
      { params: (good) => ({ token: BAD, authorization: `Bearer ${good}` }) },
    ],
    ["empty", "Token missing", { params: () => ({ token: "" }) }],
    ["a number", "Token missing", { params: () => ({ token: 1 }) }],
    ["true", "Token missing", { params: () => ({ token: true }) }],
    ["an object", "Token missing", { params: (good) => ({ token: { token: good } }) }],
    ["a list", "Token missing", { params: (good) => ({ token: [good] }) }],
    ["a list in authorization", "Token missing", { params: (good) => ({ authorization: [`Bearer ${good}`] }) }],
    ["without Bearer in authorization", "Token missing", { params: (good) => ({ authorization: good }) }],
    ["of another scheme", "Token missing", { params: (good) => ({ authorization: `Basic ${good}` }) }],
    [
      "under another name",
      "Token missing",
      { params: (good) => ({ Token: good, access_token: good, headers: { authorization: good } }) },
    ],
    ["with Bearer in token", "Token refused", { params: (good) => ({ token: `Bearer ${good}` }) }],
    ["with a space at its end", "Token refused", { params: (good) => ({ token: `${good} ` }) }],
    ["with another header in it", "Token refused", { params: (good) => ({ token: `${good}\r\nx-admin: true` }) }],
    ["not ASCII", "Token refused", { params: (good) => ({ token: `${good}é` }) }],
    ["longer than any header", "Token refused", { params: () => ({ token: "x".repeat(20_000) }) }],
  ])("%s", async (_what, reason, { params, header }) => {
    await using gateway = await startDiscreetGateway({}, SECRETS);
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, bob?.token);
    await control.acknowledged;
    const good = alice?.token ?? "";
    await using raw = await openRaw(gateway.wsUrl, header ? { headers: { authorization: header(good) } } : {});
    raw.send({ type: "connection_init", ...(params && { payload: params(good) }) });
    expect(await raw.closed).toEqual({ code: 4403, reason });
    expect(gateway.api.faults.requests.count({ token: good })).toBe(0);
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("valid, but without an account", async () => {
    await using gateway = await startDiscreetGateway();
    const { api, wsUrl } = gateway;
    const { token = "" } = api.users[0] ?? {};
    api.faults.answer({ status: 404 }, { path: "/auth/profile", token });
    await using raw = await openRaw(wsUrl);
    raw.send({ type: "connection_init", payload: { token } });
    expect(await raw.closed).toEqual({ code: 4403, reason: "Token refused" });
  });

  test("expired", async () => {
    await using gateway = await startDiscreetGateway();
    const { data, users } = gateway.api;
    const expired = data.issueToken(users[0]?.id ?? "", { expiresAt: new Date(0) });
    await using client = connect(gateway.wsUrl, expired);
    expect(await client.closed).toMatchObject({ code: 4403 });
  });
});

test.each(["text", 1, true, ["list"]])(
  "connectionParams that are %j are no message of the protocol: 4400",
  async (payload) => {
    await using gateway = await startDiscreetGateway();
    await using raw = await openRaw(gateway.wsUrl);
    raw.send({ type: "connection_init", payload });
    expect(await raw.closed).toMatchObject({ code: 4400 });
  },
);

describe("an HTTP request is answered with its token as", () => {
  test.each<[authorization: (token: string) => string]>([
    [(token) => `Bearer ${token}`],
    [(token) => `bearer ${token}`],
    [(token) => `BEARER ${token}`],
    [(token) => `Bearer    ${token}`],
    [(token) => `Bearer ${token}  `],
  ])("%s", async (authorization) => {
    await using gateway = await startDiscreetGateway();
    const { id = "", token = "" } = gateway.api.users[0] ?? {};
    const headers = { authorization: authorization(token) };
    const { data, errors } = await postOperation(gateway.url, { query: "{ me { id } }" }, undefined, headers);
    expect(errors).toBeUndefined();
    expect(data).toEqual({ me: { id } });
  });
});

describe("an HTTP request is UNAUTHENTICATED where its Authorization is", () => {
  test.each<[what: string, authorization: ((good: string) => string) | undefined]>([
    ["missing", undefined],
    ["empty", () => ""],
    ["Bearer alone", () => "Bearer"],
    ["the token alone", (good) => good],
    ["of another scheme", (good) => `Basic ${good}`],
    ["two tokens", (good) => `Bearer ${good} ${good}`],
    ["two headers in one", (good) => `Bearer ${good}, Bearer ${good}`],
    ["refused by the REST API", () => `Bearer ${BAD}`],
    ["not ASCII", (good) => `Bearer ${good}é`],
    ["longer than any header", () => `Bearer ${"x".repeat(8001)}`],
  ])("%s", async (_what, authorization) => {
    await using gateway = await startDiscreetGateway({}, SECRETS);
    const good = gateway.api.users[0]?.token ?? "";
    const headers = authorization ? { authorization: authorization(good) } : {};
    const queries = ["{ me { id } }", "{ chats { id } }", 'mutation { markChatRead(chatId: "x") { readAt } }'];
    for (const query of queries) {
      const { errors, data } = await postOperation(gateway.url, { query }, undefined, headers);
      expect(codesOf(errors)).toEqual(["UNAUTHENTICATED"]);
      expect(data).toBeNull();
    }
    // What asks for nobody's data needs nobody.
    expect((await postOperation(gateway.url, { query: "{ __typename }" }, undefined, headers)).errors).toBeUndefined();
    expect(gateway.api.faults.requests.count({ token: good })).toBe(0);
  });
});

describe("a token is never taken from the URL", () => {
  const parameters = (token: string): string =>
    new URLSearchParams({
      token,
      access_token: token,
      authorization: `Bearer ${token}`,
      Authorization: token,
    }).toString();

  test("of a WebSocket", async () => {
    await using gateway = await startDiscreetGateway();
    const { token = "" } = gateway.api.users[0] ?? {};
    await using raw = await openRaw(`${gateway.wsUrl}?${parameters(token)}`);
    raw.send({ type: "connection_init" });
    expect(await raw.closed).toMatchObject({ code: 4403 });
    expect(gateway.api.faults.requests.count()).toBe(0);
    await using client = connect(`${gateway.wsUrl}?${parameters("another")}`, token);
    expect((await client.run(MeDocument)).me.id).toBe(gateway.api.users[0]?.id);
  });

  test.each([["GET"], ["POST"]])("of a request by %s", async (method) => {
    await using gateway = await startDiscreetGateway();
    const { token = "" } = gateway.api.users[0] ?? {};
    const query = "{ me { id } }";
    const address = `${gateway.url}?${parameters(token)}&query=${encodeURIComponent(query)}`;
    const body = { headers: { "content-type": "application/json" }, body: JSON.stringify({ query }) };
    const { errors } = await fetchResult(address, { method, ...(method === "POST" && body) });
    expect(codesOf(errors)).toEqual(["UNAUTHENTICATED"]);
    expect(gateway.api.faults.requests.count()).toBe(0);
  });
});
