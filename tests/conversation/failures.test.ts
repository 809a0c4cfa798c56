import { describe, expect, test } from "vitest";
import type { Faults } from "../../src/dev/faults.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { ERROR_CATALOGUE } from "../../src/errors.ts";
import { connect } from "../support/client.ts";
import { errorIn } from "../support/errors.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { HeldTimers } from "../support/held-timers.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { runnerOver, TRANSPORTS } from "../support/runner.ts";

const [alice, bob] = DEMO_USERS;
const { shop } = DEMO_CHATS;

const CONTENT = "nobody but the two of us may read this";
const SEND = { method: "POST" };

const TIMEOUT_MS = 54_321;

/** No second attempt. */
const ONCE = { HTTP_API_RETRIES: "1", HTTP_API_TIMEOUT: String(TIMEOUT_MS) };

/** What the operator finds under a client's requestId. */
function linesOf({ logged }: TestGateway, requestId: unknown): readonly Record<string, unknown>[] {
  return logged.filter((line) => line["requestId"] === requestId);
}

type Break = (faults: Faults) => Disposable;

const FAILURES: readonly [string, Break, "UPSTREAM_UNAVAILABLE" | "UPSTREAM_TIMEOUT", cause: string][] = [
  ["is down", (faults) => faults.down(SEND), "UPSTREAM_UNAVAILABLE", "the connection was lost"],
  ["has no capacity", (faults) => faults.unavailable(SEND), "UPSTREAM_UNAVAILABLE", "answered 503"],
  ["answers with a web page", (faults) => faults.html(SEND), "UPSTREAM_UNAVAILABLE", "not JSON"],
  ["answers with something else", (faults) => faults.wrongJson(SEND), "UPSTREAM_UNAVAILABLE", "another shape: message"],
  ["sends elsewhere", (faults) => faults.redirect("http://169.254.169.254/", SEND), "UPSTREAM_UNAVAILABLE", "302"],
  ["breaks off", (faults) => faults.reset(SEND), "UPSTREAM_UNAVAILABLE", "the connection was lost"],
  ["answers too much", (faults) => faults.oversized(6_000_000, SEND), "UPSTREAM_UNAVAILABLE", "bytes"],
  ["does not answer", (faults) => faults.hold(SEND), "UPSTREAM_TIMEOUT", `no answer within ${TIMEOUT_MS} ms`],
  ["falls silent", (faults) => faults.stall(SEND), "UPSTREAM_TIMEOUT", `no answer within ${TIMEOUT_MS} ms`],
];

describe.each(TRANSPORTS)("over %s", (transport) => {
  test.each(FAILURES)("an API that %s fails the operation alone", async (_how, breakIt, code, cause) => {
    using deadlines = new HeldTimers(TIMEOUT_MS);
    await using gateway = await startGateway(ONCE);
    await using client = runnerOver(transport, gateway, alice.token);
    await using control = connect(gateway.wsUrl, bob.token);
    await using received = control.subscribe(MessageAddedDocument);
    await control.run(ChatsDocument);
    const send = (): ReturnType<typeof client.run> =>
      client.run(SendMessageDocument, { chatId: shop, content: CONTENT });
    const fault = breakIt(gateway.api.faults);
    const failed = errorIn(send());
    await gateway.api.faults.requests.arrived(1, SEND);
    expect(await control.run(ChatsDocument)).toMatchObject({ chats: [{}, {}, {}] });
    if (code === "UPSTREAM_TIMEOUT") deadlines.runOut();
    const { message, path, extensions } = await failed;
    expect({ message, path, extensions }).toEqual({
      message: ERROR_CATALOGUE[code].message,
      path: ["sendMessage"],
      extensions: { code, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    fault[Symbol.dispose]();
    await send();
    expect((await received.next()).messageAdded.content).toBe(CONTENT);

    const lines = linesOf(gateway, extensions?.["requestId"]);
    expect(lines).toEqual([expect.objectContaining({ code })]);
    expect(JSON.stringify(lines[0]?.["err"])).toContain(`POST /chats/:chatId/messages: `);
    expect(JSON.stringify(lines[0]?.["err"])).toContain(cause);
    const log = JSON.stringify(gateway.logged);
    for (const secret of [alice.token, bob.token, CONTENT]) expect(log).not.toContain(secret);
  });

  test("when to come back is passed on where the API says it", async () => {
    await using gateway = await startGateway(ONCE);
    await using client = runnerOver(transport, gateway, alice.token);
    using _ = gateway.api.faults.rateLimited(30, SEND);
    const { extensions } = await errorIn(client.run(SendMessageDocument, { chatId: shop, content: CONTENT }));
    expect(extensions).toEqual({
      code: "UPSTREAM_UNAVAILABLE",
      retryAfterMs: 30_000,
      requestId: expect.any(String),
    });
  });

  const chat = { id: shop, participants: [alice.id], participantNames: [alice.name], createdAt: "2026-01-01" };
  test.each([
    ["missing", { items: [chat] }, "chats"],
    ["of another type", { chats: { [shop]: chat } }, "chats"],
    ["null", { chats: null }, "chats"],
  ])("a needed field that is %s is named in the log, and only there", async (_how, body, field) => {
    await using gateway = await startGateway(ONCE);
    await using client = runnerOver(transport, gateway, alice.token);
    // A connection asks for the chats before anything else.
    await client.run(ChatsDocument);
    using _ = gateway.api.faults.answer({ body }, { path: "/chats", token: alice.token });
    const error = await errorIn(client.run(ChatsDocument));
    expect(error.extensions).toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    expect(JSON.stringify(error)).not.toMatch(/expected|GET/);
    const [line, ...more] = linesOf(gateway, error.extensions?.["requestId"]);
    expect(more).toEqual([]);
    expect(JSON.stringify(line?.["err"])).toContain(`GET /chats: answered with another shape: ${field}: `);
  });
});

test("each of several operations that fail together has a requestId and a line of its own", async () => {
  await using gateway = await startGateway(ONCE);
  await using client = connect(gateway.wsUrl, alice.token);
  await client.acknowledged;
  using gate = gateway.api.faults.hold({ path: "/chats" });
  using _ = gateway.api.faults.unavailable({ path: "/chats" });
  const failed = Array.from({ length: 5 }, () => errorIn(client.run(ChatsDocument)));
  await gate.arrived();
  gate.release();
  const requestIds = (await Promise.all(failed)).map(({ extensions }) => extensions?.["requestId"]);
  expect(new Set(requestIds).size).toBe(5);
  for (const requestId of requestIds) expect(linesOf(gateway, requestId)).toHaveLength(1);
});
