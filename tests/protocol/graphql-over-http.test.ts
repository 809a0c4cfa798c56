/** GraphQL over HTTP beyond what the audit of graphql-http asks for, and what RFC 9110 says of it. A test for each rule. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startDiscreetGateway, type DiscreetGateway } from "../support/discreet.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { codesOf, fetchResult, postOperation, type HttpResult } from "../support/http.ts";

const ME = "{ me { id } }";
const RESPONSE_JSON = "application/graphql-response+json";
const CHAT = "query ($id: ID!, $last: Int) { chat(id: $id) { messages(last: $last) { nodes { id } } } }";

function post(
  gateway: DiscreetGateway,
  body: object | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpResult> {
  return fetchResult(gateway.url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${gateway.api.users[0]?.token}`,
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

describe("application/graphql-response+json", () => {
  const REFUSED: readonly (readonly [what: string, body: object, code: string])[] = [
    ["a variable that is missing", { query: CHAT }, "BAD_USER_INPUT"],
    ["a variable that is null and must not be", { query: CHAT, variables: { id: null } }, "BAD_USER_INPUT"],
    ["a variable that cannot be coerced", { query: CHAT, variables: { id: "x", last: "many" } }, "BAD_USER_INPUT"],
    ["a document that is no GraphQL", { query: "{" }, "GRAPHQL_PARSE_FAILED"],
    ["a document that does not fit the schema", { query: "{ nothing }" }, "GRAPHQL_VALIDATION_FAILED"],
    ["an operation that does not exist", { query: ME, operationName: "Other" }, "GRAPHQL_VALIDATION_FAILED"],
  ];

  test.each(REFUSED)("%s is 400 without data", async (_what, body, code) => {
    await using gateway = await startDiscreetGateway();
    const { status, headers, data, errors } = await post(gateway, body, { accept: RESPONSE_JSON });
    expect(codesOf(errors)).toEqual([code]);
    expect([status, data]).toEqual([400, undefined]);
    expect(headers.get("content-type")).toBe(`${RESPONSE_JSON}; charset=utf-8`);
  });

  test.each(REFUSED)("%s is 200 where application/json is asked for", async (_what, body, code) => {
    await using gateway = await startDiscreetGateway();
    const { status, headers, data, errors } = await post(gateway, body, { accept: "application/json" });
    expect(codesOf(errors)).toEqual([code]);
    expect([status, data]).toEqual([200, undefined]);
    expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  test("a failure while executing is 200, whatever became of the data", async () => {
    await using gateway = await startDiscreetGateway();
    const { status, data, errors } = await post(
      gateway,
      { query: '{ chat(id: "none") { id } }' },
      { accept: RESPONSE_JSON },
    );
    expect(codesOf(errors)).toEqual(["NOT_FOUND"]);
    expect([status, data]).toEqual([200, null]);
  });

  test("a subscription whose variables are wrong is 400 as well", async () => {
    await using gateway = await startDiscreetGateway();
    const query = "subscription ($chatId: ID!) { messageAdded(chatId: $chatId) { id } }";
    const { status, errors } = await post(gateway, { query }, { accept: `text/event-stream, ${RESPONSE_JSON}` });
    expect(codesOf(errors)).toEqual(["BAD_USER_INPUT"]);
    expect(status).toBe(400);
  });
});

test("unknown properties of a JSON body are ignored", async () => {
  await using gateway = await startDiscreetGateway();
  const { status, errors } = await post(gateway, { query: ME, x: 1, id: "op-1", toString: [] });
  expect([status, errors]).toEqual([200, undefined]);
});

describe("the media type of a request", () => {
  test.each([
    "Application/JSON",
    "application/json;charset=UTF-8",
    "APPLICATION/JSON ; charset=utf-8",
    " application/json ",
  ])("%j is JSON's", async (type) => {
    await using gateway = await startDiscreetGateway();
    expect((await post(gateway, { query: ME }, { "content-type": type })).status).toBe(200);
  });

  test.each([
    ["application/x-www-form-urlencoded", "query=%7Bme%7Bid%7D%7D"],
    ["application/graphql", ME],
    ["application/graphql+json", JSON.stringify({ query: ME })],
    ["application/jsonx", JSON.stringify({ query: ME })],
  ])("%s is refused with 415", async (type, body) => {
    await using gateway = await startDiscreetGateway();
    const { status, errors } = await post(gateway, body, { "content-type": type });
    expect(status).toBe(415);
    expect(codesOf(errors)).toEqual(["BAD_USER_INPUT"]);
  });
});

describe("the media type of an answer", () => {
  test.each([
    [RESPONSE_JSON, RESPONSE_JSON],
    ["application/json", "application/json"],
    ["Application/JSON", "application/json"],
    [`${RESPONSE_JSON}, application/json;q=0.9`, RESPONSE_JSON],
    [`application/json, ${RESPONSE_JSON}`, "application/json"],
    [`${RESPONSE_JSON};q=0.5, application/json`, "application/json"],
    [`application/json;q=0.5, ${RESPONSE_JSON};q=0.8`, RESPONSE_JSON],
    [`image/png, application/json;q=0.1`, "application/json"],
  ])("to accept: %s is %s", async (accept, expected) => {
    await using gateway = await startDiscreetGateway();
    const { headers } = await post(gateway, { query: ME }, { accept });
    expect(headers.get("content-type")).toBe(`${expected}; charset=utf-8`);
  });
});

describe("an empty operationName is none", () => {
  test("over POST and GET", async () => {
    await using gateway = await startDiscreetGateway();
    expect((await post(gateway, { query: ME, operationName: "" })).errors).toBeUndefined();
    const address = `${gateway.url}?${new URLSearchParams({ query: ME, operationName: "" }).toString()}`;
    const authorization = `Bearer ${gateway.api.users[0]?.token}`;
    expect((await fetchResult(address, { headers: { authorization } })).errors).toBeUndefined();
  });

  test("over WebSocket", async () => {
    await using gateway = await startDiscreetGateway();
    await using socket = await openGraphQLSocket(gateway.wsUrl, gateway.api.users[0]?.token);
    expect(await socket.run({ query: ME, operationName: "" })).toEqual({ me: { id: gateway.api.users[0]?.id } });
  });

  test("and does not choose among several", async () => {
    await using gateway = await startDiscreetGateway();
    const { errors } = await post(gateway, { query: `query A ${ME} query B ${ME}`, operationName: "" });
    expect(codesOf(errors)).toEqual(["GRAPHQL_VALIDATION_FAILED"]);
  });
});

/** A request whose every header is this test's. */
async function rawRequest(url: string, headers: Readonly<Record<string, string>>, method = "GET") {
  const request = httpRequest(url, { method, headers });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

test("a Host with the port of its scheme is the own one for browsers behind TLS", async () => {
  await using gateway = await startDiscreetGateway({ CORS_ORIGIN: "https://other.example" });
  const origin = "https://chat.example.com";
  const { headers } = await rawRequest(gateway.url, { host: "chat.example.com:443", origin });
  expect(headers["access-control-allow-origin"]).toBe(origin);
});

test.each([
  ["PUT", "GET, POST"],
  ["DELETE", "GET, POST"],
])("405 to %s says what is allowed", async (method, allow) => {
  await using gateway = await startDiscreetGateway();
  const answer = await rawRequest(gateway.url, { "content-type": "application/json" }, method);
  expect([answer.status, answer.headers["allow"]]).toEqual([405, allow]);
});

test("HEAD of a page that GET has is answered without a body", async () => {
  await using gateway = await startDiscreetGateway();
  const { status, body } = await rawRequest(new URL("/health", gateway.url).href, {}, "HEAD");
  expect([status, body]).toEqual([200, ""]);
});

test("a connection says that it is kept for KEEP_ALIVE_TIMEOUT", async () => {
  await using gateway = await startDiscreetGateway({ KEEP_ALIVE_TIMEOUT: "61000" });
  const { headers } = await rawRequest(new URL("/health", gateway.url).href, { connection: "keep-alive" });
  expect(headers["keep-alive"]).toBe("timeout=61");
  await using usual = await startDiscreetGateway();
  const answer = await rawRequest(new URL("/health", usual.url).href, { connection: "keep-alive" });
  expect(answer.headers["keep-alive"]).toBe("timeout=75");
});

test("what an answer is for one origin, caches keep for no other", async () => {
  await using gateway = await startGateway({ CORS_ORIGIN: "https://chat.example.com" });
  await using client = connect(gateway.wsUrl, gateway.api.users[0]?.token);
  await client.acknowledged;
  const { headers } = await postOperation(gateway.url, { query: ME }, gateway.api.users[0]?.token, {
    origin: "https://chat.example.com",
  });
  expect(headers.get("vary")).toMatch(/\borigin\b/i);
});
