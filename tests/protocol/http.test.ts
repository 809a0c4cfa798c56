import { describe, expect, test } from "vitest";
import { ERROR_CATALOGUE } from "../../src/errors.ts";
import { connect } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { codesOf, fetchResult, postOperation } from "../support/http.ts";

const ME = { query: "{ me { id } }" };

function byGet(url: string, parameters: Readonly<Record<string, string>>): string {
  return `${url}?${new URLSearchParams(parameters).toString()}`;
}

test("a query is answered by POST and by GET, with its variables and operationName", async () => {
  await using gateway = await startDiscreetGateway();
  const { users, demoChatId } = gateway.api;
  const authorization = `Bearer ${users[0]?.token}`;
  const query = "query Other { me { id } } query Mine($id: ID!) { chat(id: $id) { id } }";
  const variables = { id: demoChatId };
  const posted = await postOperation(gateway.url, { query, variables, operationName: "Mine" }, users[0]?.token);
  expect(posted).toMatchObject({ status: 200, data: { chat: { id: demoChatId } }, errors: undefined });
  const address = byGet(gateway.url, { query, variables: JSON.stringify(variables), operationName: "Mine" });
  const got = await fetchResult(address, { headers: { authorization } });
  expect(got).toMatchObject({ status: 200, data: { chat: { id: demoChatId } }, errors: undefined });
});

test("a mutation by GET is refused with 405, and not executed", async () => {
  await using gateway = await startDiscreetGateway();
  const [alice] = gateway.api.users;
  const chatId = gateway.api.demoChatId;
  await using client = connect(gateway.wsUrl, alice?.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const query = `mutation { sendMessage(chatId: "${chatId}", content: "by GET") { id } }`;
  const { status, headers, errors } = await fetchResult(byGet(gateway.url, { query }), {
    headers: { authorization: `Bearer ${alice?.token}` },
  });
  expect(status).toBe(405);
  expect(headers.get("allow")).toBe("POST");
  expect(codesOf(errors)).toEqual(["BAD_USER_INPUT"]);
  await client.run(SendMessageDocument, { chatId, content: "by WebSocket" });
  expect((await messages.next()).messageAdded.content).toBe("by WebSocket");
  expect(gateway.api.faults.requests.count({ method: "POST" })).toBe(1);
});

describe("a request that is none is refused with a code of the catalogue, and nothing is logged of it:", () => {
  const json = { "content-type": "application/json" };
  const body = JSON.stringify(ME);
  test.each<
    [what: string, status: number, code: string, request: RequestInit, query?: Readonly<Record<string, string>>]
  >([
    ["no JSON", 400, "BAD_USER_INPUT", { headers: json, body: "{" }],
    ["an empty body", 400, "BAD_USER_INPUT", { headers: json, body: "" }],
    ["null", 400, "BAD_USER_INPUT", { headers: json, body: "null" }],
    ["a text", 400, "BAD_USER_INPUT", { headers: json, body: '"{ me { id } }"' }],
    ["a batch", 400, "BAD_USER_INPUT", { headers: json, body: `[${body}]` }],
    ["no query", 400, "BAD_USER_INPUT", { headers: json, body: "{}" }],
    ["a query that is a number", 400, "BAD_USER_INPUT", { headers: json, body: '{"query":1}' }],
    [
      "variables that are a list",
      400,
      "BAD_USER_INPUT",
      { headers: json, body: '{"query":"{me{id}}","variables":[]}' },
    ],
    [
      "an operationName that is a number",
      400,
      "BAD_USER_INPUT",
      { headers: json, body: '{"query":"{me{id}}","operationName":1}' },
    ],
    [
      "extensions that are a text",
      400,
      "BAD_USER_INPUT",
      { headers: json, body: '{"query":"{me{id}}","extensions":"x"}' },
    ],
    ["no query in a GET", 400, "BAD_USER_INPUT", { method: "GET" }],
    ["variables in a GET that are no JSON", 400, "BAD_USER_INPUT", { method: "GET" }, { ...ME, variables: "{" }],
    ["PUT", 405, "BAD_USER_INPUT", { method: "PUT", headers: json, body }],
    ["DELETE", 405, "BAD_USER_INPUT", { method: "DELETE" }],
    ["a body over MAX_PAYLOAD_SIZE", 413, "OPERATION_LIMIT", { headers: json, body: body.padEnd(2001) }],
    ["a content type that is a text's", 415, "BAD_USER_INPUT", { headers: { "content-type": "text/plain" }, body }],
    [
      "a content type that nobody knows",
      415,
      "BAD_USER_INPUT",
      { headers: { "content-type": "application/x-unknown" }, body },
    ],
    [
      "an upload",
      415,
      "BAD_USER_INPUT",
      { headers: { "content-type": "multipart/form-data; boundary=x" }, body: "--x--" },
    ],
    ["no content type", 415, "BAD_USER_INPUT", { body: Buffer.from(body) }],
    [
      "an answer wanted that there is none of",
      406,
      "BAD_USER_INPUT",
      { headers: { ...json, accept: "image/png" }, body },
    ],
  ])("%s: %i %s", async (_what, expected, code, request, query) => {
    await using gateway = await startDiscreetGateway({ MAX_PAYLOAD_SIZE: "2000" });
    const token = gateway.api.users[0]?.token;
    const headers = {
      accept: "application/json",
      authorization: `Bearer ${token}`,
      ...(request.headers as Record<string, string> | undefined),
    };
    const address = query === undefined ? gateway.url : byGet(gateway.url, query);
    const { status, errors, data } = await fetchResult(address, { method: "POST", ...request, headers });
    expect(codesOf(errors)).toEqual([code]);
    expect(status).toBe(expected);
    expect(data).toBeUndefined();
    expect(Object.keys(ERROR_CATALOGUE)).toContain(code);
    expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
    expect((await postOperation(gateway.url, ME, token)).data).toEqual({ me: { id: gateway.api.users[0]?.id } });
  });
});

test("a body over MAX_PAYLOAD_SIZE whose length is not told before is refused with 413 as well", async () => {
  await using gateway = await startDiscreetGateway({ MAX_PAYLOAD_SIZE: "2000" });
  const token = gateway.api.users[0]?.token;
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(Buffer.from(" ".repeat(1500)));
    },
  });
  const request = { method: "POST", headers: { "content-type": "application/json" }, body, duplex: "half" as const };
  const { status, errors } = await fetchResult(gateway.url, request);
  expect(status).toBe(413);
  expect(codesOf(errors)).toEqual(["OPERATION_LIMIT"]);
  expect((await postOperation(gateway.url, ME, token)).data).toEqual({ me: { id: gateway.api.users[0]?.id } });
});

test("a failure of the REST API is told by its code and a requestId, under which the log has the reason", async () => {
  await using gateway = await startDiscreetGateway({ HTTP_API_RETRIES: "1" });
  const [alice, bob] = gateway.api.users;
  gateway.api.faults.answer(
    { status: 500, body: { error: "secret detail" } },
    { path: "/chats", token: alice?.token ?? "" },
  );
  const { errors } = await postOperation(gateway.url, { query: "{ chats { id } }" }, alice?.token);
  expect(codesOf(errors)).toEqual(["UPSTREAM_UNAVAILABLE"]);
  expect(JSON.stringify(errors)).not.toMatch(/500|secret detail|\/chats|127\.0\.0\.1/);
  const requestId = errors?.[0]?.extensions?.["requestId"];
  expect(requestId).toEqual(expect.any(String));
  const lines = gateway.logged.filter((line) => line["requestId"] === requestId);
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).toContain("GET /chats: answered 500");
  expect((await postOperation(gateway.url, { query: "{ chats { id } }" }, bob?.token)).errors).toBeUndefined();
});
