/** JSON that is nothing but brackets takes many times as long to parse as any other of its length. */
import { describe, expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { startGateway } from "../support/gateway.ts";
import { fetchResult, postOperation } from "../support/http.ts";
import { openAcknowledged } from "../support/raw-socket.ts";

const [alice] = DEMO_USERS;

const QUERY = "{ me { id } }";

const lists = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const objects = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

const NESTED = [
  ["lists", lists(101)],
  ["thousands of lists", lists(30_000)],
  ["objects", objects(101)],
  ["lists that do not end", "[".repeat(60_000)],
  ["lists behind a string", `["\\\\", ${lists(101)}]`],
] as const;

describe.each(NESTED)("%s in each other, over 100", (_what, value) => {
  const request = `{"query":"${QUERY}","extensions":{"e":${value}}}`;

  test("are refused with 400 over HTTP, with and without a token", async () => {
    await using gateway = await startGateway();
    for (const authorization of [`Bearer ${alice.token}`, ""]) {
      const headers = { "content-type": "application/json", authorization };
      const answer = await fetchResult(gateway.url, { method: "POST", headers, body: request });
      expect(answer).toMatchObject({
        status: 400,
        errors: [{ message: "The request is nested too deeply.", extensions: { code: "BAD_USER_INPUT" } }],
      });
    }
    expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });

  test("close a WebSocket with 4400", async () => {
    await using gateway = await startGateway();
    await using socket = await openAcknowledged(gateway.wsUrl, alice.token);
    socket.send(`{"id":"1","type":"subscribe","payload":${request}}`);
    expect(await socket.closed).toMatchObject({ code: 4400 });
    expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});

test("what is flatter is answered, and brackets in strings are none", async () => {
  await using gateway = await startGateway();
  const extensions = { list: JSON.parse(lists(90)) as unknown, text: `"${"[".repeat(300)}\\`, '{{"': '\\"[' };
  const operation = { query: QUERY, extensions };
  expect(await postOperation(gateway.url, operation, alice.token)).toMatchObject({
    status: 200,
    data: { me: { id: alice.id } },
  });
  await using socket = await openAcknowledged(gateway.wsUrl, alice.token);
  socket.send({ id: "1", type: "subscribe", payload: { query: QUERY, extensions } });
  expect(await socket.next()).toMatchObject({ type: "next", payload: { data: { me: { id: alice.id } } } });
});

test("a URL's parameters are looked at in the same way", async () => {
  await using gateway = await startGateway();
  const parameters = new URLSearchParams({ query: QUERY, variables: objects(101) });
  const headers = { accept: "application/json", authorization: `Bearer ${alice.token}` };
  expect(await fetchResult(`${gateway.url}?${parameters.toString()}`, { headers })).toMatchObject({
    status: 400,
    errors: [{ message: "The request is nested too deeply." }],
  });
});
