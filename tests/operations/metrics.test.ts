import { readFileSync } from "node:fs";
import { print } from "graphql";
import { expect, test } from "vitest";
import { FAMILIES } from "../../src/server/admin/families.ts";
import { METRIC_PREFIX } from "../../src/server/admin/metrics.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { openEventStream, postOperation } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";

/** More would be a label that clients can choose. */
const MAX_SERIES = 1000;

test("after a busy scene every family is there, and nothing in it tells who did what", async () => {
  await using gateway = await startGateway({ ADMIN_PORT: "0" });
  const { api, wsUrl, url, adminUrl = "" } = gateway;
  const [alice, bob] = api.users;
  const chatId = api.demoChatId;
  await using first = connect(wsUrl, alice?.token);
  await using second = connect(wsUrl, bob?.token);
  await using all = first.subscribe(MessageAddedDocument);
  await using one = second.subscribe(MessageAddedDocument, { chatId });
  await using presence = second.subscribe(PresenceChangedDocument, { chatId });
  await using sse = await openEventStream(url, { query: "subscription { messageAdded { id } }" }, alice?.token);
  for (const client of [first, second]) await client.run(ChatsDocument);
  await first.run(SendMessageDocument, { chatId, content: "a very private word" });
  expect((await all.next()).messageAdded.content).toBe("a very private word");
  await one.next();
  await sse.next();
  await presence.next();
  await postOperation(
    url,
    { query: "query NameOfAClient { me { id } }", operationName: "NameOfAClient" },
    alice?.token,
  );
  await postOperation(url, { query: "{ nothing" }, alice?.token);
  await postOperation(url, { query: print(ChatsDocument) }, "token-of-a-stranger");
  await using stranger = connect(wsUrl, "token-of-a-stranger");
  expect((await stranger.closed).code).toBe(4403);
  // The gateway notices the end of the connection after its client.
  const closes = async (): Promise<number | undefined> =>
    (await scrape(adminUrl)).value(`${METRIC_PREFIX}closes_total`, { code: "4403" });
  await expect.poll(closes).toBe(1);

  const scraped = await scrape(adminUrl);
  const { text, families, series } = scraped;
  for (const { name, type } of FAMILIES) expect([name, families.get(`${METRIC_PREFIX}${name}`)]).toEqual([name, type]);
  for (const name of ["nodejs_eventloop_lag_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"]) {
    expect([name, families.has(name)]).toEqual([name, true]);
  }
  expect(series.length).toBeLessThan(MAX_SERIES);
  const secrets = api.users.flatMap(({ id, name, token }) => [id, name, token]);
  for (const secret of [...secrets, chatId, "private word", "stranger", "NameOfAClient", api.url, url]) {
    expect(text).not.toContain(secret);
  }
  const counted = (name: string, labels?: Record<string, string>): number | undefined =>
    scraped.value(`${METRIC_PREFIX}${name}`, labels);
  expect(counted("connections", { state: "open" })).toBe(2);
  expect(counted("connections", { state: "sse" })).toBe(1);
  expect(counted("closes_total", { code: "4403" })).toBe(1);
  expect(counted("subscriptions", { field: "messageAdded" })).toBe(3);
  expect(counted("subscriptions", { field: "presenceChanged" })).toBe(1);
  expect(counted("deliveries_total", { field: "messageAdded" })).toBe(3);
  // Two subscriptions share a selection.
  expect(counted("executions_total", { field: "messageAdded" })).toBe(2);
  expect(counted("operations_total", { type: "mutation", code: "OK" })).toBe(1);
  expect(counted("operations_total", { type: "subscription", code: "OK" })).toBe(4);
  expect(counted("operations_total", { type: "unknown", code: "GRAPHQL_PARSE_FAILED" })).toBe(1);
  expect(counted("operations_total", { code: "UNAUTHENTICATED" })).toBe(1);
  expect(counted("operation_seconds_count", { type: "mutation" })).toBe(1);
  expect(counted("delivery_seconds_count")).toBe(1);
  expect(counted("resume_total", { outcome: "new" })).toBe(3);
  expect(counted("upstream_request_seconds_count", { route: "POST /chats/:chatId/messages", outcome: "2xx" })).toBe(1);
  expect(counted("upstream_request_seconds_count", { route: "GET /auth/profile", outcome: "4xx" })).toBeGreaterThan(0);
  expect(counted("upstream_breaker_state")).toBe(0);
});

test("the number of series does not grow with users, operations and close codes", async () => {
  await using gateway = await startGateway({ ADMIN_PORT: "0" });
  const { api, wsUrl, url, adminUrl = "" } = gateway;
  async function scene(name: string): Promise<number> {
    for (const { token } of api.users) {
      await using client = connect(wsUrl, token);
      await client.run(ChatsDocument);
      await postOperation(url, { query: `query ${name} { me { id } }`, operationName: name }, token);
    }
    // Those of prom-client depend on what the garbage collector did.
    return (await scrape(adminUrl)).series.filter((one) => one.name.startsWith(METRIC_PREFIX)).length;
  }
  // Whatever is counted for the first time makes a series.
  await scene("First");
  const before = await scene("Second");
  expect(await scene("Third")).toBe(before);
});

test("every family is in the documentation, and nothing else", () => {
  const [, table = ""] = /\n## Metrics\n([^]*?)\n## /.exec(readFileSync("docs/OPERATIONS.md", "utf8")) ?? [];
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  const documented = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`(\w+)(?:\{([\w,]+)\})?`/g)]);
  expect(documented.map(([, name, labels = ""]) => `${name} ${labels}`).toSorted()).toEqual(
    FAMILIES.map(({ name, labels }) => `${name} ${labels.join()}`).toSorted(),
  );
});
