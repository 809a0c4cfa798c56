/** On whose behalf the gateway asks, as the REST API sees it. */
import { describe, expect, test } from "vitest";
import { clientAddress } from "../../src/server/client-origin.ts";
import { connect } from "../support/client.ts";
import { errorIn } from "../support/errors.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument } from "../support/generated/graphql.ts";
import { openGraphQLSocket, type SocketOptions } from "../support/graphql-socket.ts";
import { postOperation } from "../support/http.ts";
import { CHAT, chatApiAt, errorOf, TOKEN } from "../support/rest-chat-api.ts";
import { json } from "../support/scripted-server.ts";
import { startSmallApi } from "../support/small-api.ts";
import { startScriptedServer } from "../support/scripted-server.ts";

const CHATS = { query: "{ chats { id } }" };
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** The headers of `GET /chats` that one operation over HTTP led to. */
async function forwarded(
  headers: Readonly<Record<string, string>>,
  environment = {},
): Promise<Record<string, unknown>> {
  await using api = await startSmallApi({});
  await using gateway = await startGateway({ HTTP_API_URL: api.url, ...environment });
  await postOperation(gateway.url, CHATS, "token", headers);
  return api.requests.find(({ url }) => url === "/chats")?.headers ?? {};
}

test("X-Request-Id and traceparent of a client are passed on", async () => {
  const headers = await forwarded({ "x-request-id": "req-1", traceparent: TRACEPARENT });
  expect(headers).toMatchObject({ "x-request-id": "req-1", traceparent: TRACEPARENT });
});

test.each([
  ["a request id with spaces", { "x-request-id": "a b" }],
  ["a request id that is too long", { "x-request-id": "x".repeat(129) }],
  ["a traceparent of another form", { traceparent: "00-abc-def-01" }],
  ["a traceparent of zeros", { traceparent: `00-${"0".repeat(32)}-b7ad6b7169203331-01` }],
])("%s is not passed on", async (_what, headers) => {
  const passed = await forwarded(headers);
  expect(passed["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(passed["traceparent"]).toBeUndefined();
});

describe("X-Forwarded-For", () => {
  const headers = { "x-forwarded-for": "203.0.113.9, 198.51.100.7" };

  test("has the client's address where TRUST_PROXY says how many proxies are believed", async () => {
    expect((await forwarded(headers, { TRUST_PROXY: "1" }))["x-forwarded-for"]).toBe("198.51.100.7");
    expect((await forwarded(headers, { TRUST_PROXY: "2" }))["x-forwarded-for"]).toBe("203.0.113.9");
  });

  test("is not passed on where no proxy is believed", async () => {
    expect((await forwarded(headers))["x-forwarded-for"]).toBeUndefined();
  });

  test.each([
    ["1.1.1.1, 2.2.2.2", 0, "9.9.9.9"],
    ["1.1.1.1, 2.2.2.2", 1, "2.2.2.2"],
    ["1.1.1.1, 2.2.2.2", 2, "1.1.1.1"],
    ["1.1.1.1", 5, "1.1.1.1"],
    [undefined, 1, "9.9.9.9"],
    [" , ", 1, "9.9.9.9"],
  ])("%s with %i believed is of %s", (forwardedFor, trustProxy, expected) => {
    expect(clientAddress(forwardedFor, "9.9.9.9", trustProxy)).toBe(expected);
  });
});

describe("over WebSocket", () => {
  /** The headers of each request that a connection and one operation on it led to. */
  async function forwardedFrom(options: SocketOptions, environment = {}): Promise<Record<string, unknown>[]> {
    await using api = await startSmallApi({});
    await using gateway = await startGateway({ HTTP_API_URL: api.url, ...environment });
    await using client = await openGraphQLSocket(gateway.wsUrl, "token", options);
    await client.run(CHATS);
    expect(api.requests.map(({ url }) => url)).toEqual(["/auth/profile", "/chats", "/chats"]);
    return api.requests.map(({ headers }) => headers);
  }

  const OTHER_TRACEPARENT = TRACEPARENT.replace("0af7", "0bf7");

  test.each<[string, SocketOptions]>([
    ["headers of the upgrade", { headers: { "x-request-id": "req-1", traceparent: TRACEPARENT } }],
    ["connectionParams", { connectionParams: { "x-request-id": "req-1", traceparent: TRACEPARENT } }],
    [
      "connectionParams, named as headers are",
      { connectionParams: { "X-Request-Id": "req-1", Traceparent: TRACEPARENT } },
    ],
    ["connectionParams, by another name", { connectionParams: { requestId: "req-1", traceparent: TRACEPARENT } }],
    [
      "connectionParams rather than headers",
      {
        headers: { "x-request-id": "req-2", traceparent: OTHER_TRACEPARENT },
        connectionParams: { requestId: "req-1", traceparent: TRACEPARENT },
      },
    ],
    [
      "headers where connectionParams are of another form",
      {
        headers: { "x-request-id": "req-1", traceparent: TRACEPARENT },
        connectionParams: { "x-request-id": "a b", requestId: 1, traceparent: "00" },
      },
    ],
  ])("a request id and a traceparent are passed on from %s", async (_where, options) => {
    for (const headers of await forwardedFrom(options)) {
      expect(headers).toMatchObject({ "x-request-id": "req-1", traceparent: TRACEPARENT });
    }
  });

  test("each operation has a request id of its own where the client says none", async () => {
    const [profile, , operation] = (await forwardedFrom({})).map((headers) => headers["x-request-id"]);
    expect(profile).toMatch(/^[0-9a-f-]{36}$/);
    expect(operation).toMatch(/^[0-9a-f-]{36}$/);
    expect(operation).not.toBe(profile);
  });

  test("X-Forwarded-For has the client's address where TRUST_PROXY says how many proxies are believed", async () => {
    const options = { headers: { "x-forwarded-for": "203.0.113.9, 198.51.100.7" } };
    for (const headers of await forwardedFrom(options, { TRUST_PROXY: "1" })) {
      expect(headers["x-forwarded-for"]).toBe("198.51.100.7");
    }
    for (const headers of await forwardedFrom(options)) expect(headers["x-forwarded-for"]).toBeUndefined();
  });
});

test.each(["WebSocket", "HTTP"])(
  "an error over %s has the request id that the REST API was asked with",
  async (transport) => {
    await using api = await startSmallApi({});
    await using gateway = await startGateway({ HTTP_API_URL: api.url, HTTP_API_RETRIES: "1" });
    await using client = connect(gateway.wsUrl, "token");
    await client.acknowledged;
    const before = api.requests.length;
    api.data.answer = () => json(500, { error: "no" });
    const error =
      transport === "HTTP"
        ? (await postOperation(gateway.url, CHATS, "token")).errors?.[0]
        : await errorIn(client.run(ChatsDocument));
    const asked = api.requests.slice(before).map(({ headers }) => headers["x-request-id"]);
    expect(asked).toEqual([error?.extensions?.["requestId"]]);
  },
);

test.each([
  ["gzip", "gzip"],
  [["identity", "gzip"], "identity,gzip"],
  ["BR", "BR"],
])("no coding of answers is welcome, and one that comes all the same is named: %j", async (coding, named) => {
  await using server = await startScriptedServer((response) => {
    response
      .setHeader("content-encoding", coding)
      .writeHead(200)
      .end(JSON.stringify({ chat: CHAT }));
  });
  await using api = chatApiAt(server.url);
  const { cause } = await errorOf(api.chat(TOKEN, "c1"));
  expect(String(cause)).toContain(`answered with content-encoding ${named}, though identity was asked for`);
  expect(server.requests[0]?.headers["accept-encoding"]).toBe("identity");
});

test.each(["", "Identity", "identity, identity", "utf-8", "none"])(
  "an answer whose coding is %j is read",
  async (coding) => {
    const answer = json(200, { chat: CHAT }, { "content-encoding": coding });
    await using server = await startScriptedServer(answer);
    await using api = chatApiAt(server.url);
    expect(await api.chat(TOKEN, "c1")).toMatchObject({ id: CHAT.id });
  },
);
