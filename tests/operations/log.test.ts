import { spawn } from "node:child_process";
import { once } from "node:events";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { print } from "graphql";
import { expect, onTestFinished, test } from "vitest";
import { startDevApi } from "../../src/dev/api.ts";
import { createLog } from "../../src/log.ts";
import { LogOutput } from "../../src/log-output.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import { ChatsDocument, MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { openEventStream, postOperation } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";
import { START_COMMAND, temporaryDirectory } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { byToken, chatRecord, startSmallApi } from "../support/small-api.ts";

test("a connection's opening and closing are in the log, with what became of it", async () => {
  await using gateway = await startGateway({ LOG_LEVEL: "info" });
  const { api, wsUrl, url, logged } = gateway;
  const [alice, bob] = api.users;
  const chatId = api.demoChatId;
  const client = connect(wsUrl, alice?.token);
  await using received = client.subscribe(MessageAddedDocument, { chatId });
  await client.run(ChatsDocument);
  const stream = await openEventStream(url, { query: "subscription { messageAdded { id } }" }, bob?.token);
  await client.run(SendMessageDocument, { chatId, content: "hello" });
  await received.next();
  await stream.next();
  await client.client.dispose();
  await stream[Symbol.asyncDispose]();
  const ofConnections = (): readonly Record<string, unknown>[] =>
    logged.filter(({ msg }) => msg === "connection opened" || msg === "connection closed");
  await expect.poll(() => ofConnections().length).toBe(4);
  const lines = ofConnections();
  const [opened, closed] = lines.filter(({ transport }) => transport === "websocket");
  expect(opened).toMatchObject({ level: 30, userId: alice?.id, connectionId: expect.any(String) });
  expect(closed).toMatchObject({
    level: 30,
    connectionId: opened?.["connectionId"],
    userId: alice?.id,
    code: 1000,
    durationMs: expect.any(Number),
    delivered: 1,
    starts: { new: 1 },
  });
  const [, ended] = lines.filter(({ transport, userId }) => transport === "sse" && userId === bob?.id);
  expect(ended).toMatchObject({ code: 1000, durationMs: expect.any(Number), delivered: 1, starts: { new: 1 } });
  for (const line of logged) {
    expect(line).toMatchObject({ instance: expect.any(String), version: expect.stringMatching(/^\d+\./) });
  }
});

test("at debug a message is found on every instance, with its position and its recipients", async () => {
  await using redis = await startRedis();
  const onRedis = { REDIS_URL: redis.url, LOG_LEVEL: "debug" };
  await using one = await startGateway(onRedis);
  await using two = await startGateway({ ...onRedis, HTTP_API_URL: one.api.url });
  const [alice, bob] = one.api.users;
  const chatId = one.api.demoChatId;
  await using sender = connect(one.wsUrl, alice?.token);
  await using receiver = connect(two.wsUrl, bob?.token);
  const received = [sender.subscribe(MessageAddedDocument), receiver.subscribe(MessageAddedDocument, { chatId })];
  for (const client of [sender, receiver]) await client.run(ChatsDocument);
  const { sendMessage } = await sender.run(SendMessageDocument, { chatId, content: "hello" });
  for (const subscription of received) await subscription.next();
  const traces = [one, two].map(({ logged }) => logged.filter(({ messageId }) => messageId === sendMessage.id));
  const [first] = traces[0] ?? [];
  expect(first).toMatchObject({ msg: "message delivered", level: 20, chatId, recipients: 1 });
  expect(traces[1]).toMatchObject([{ msg: "message delivered", position: first?.["position"], recipients: 1 }]);
});

test("a reader that stands still costs bounded memory, and what is dropped is counted", () => {
  const stuck = new Writable({ write: () => undefined });
  const output = new LogOutput(stuck);
  const line = `${"x".repeat(1023)}\n`;
  for (let count = 0; count < 10_000; count++) output.write(line);
  expect(stuck.writableLength).toBeLessThanOrEqual(256 * 1024);
  expect(output.dropped).toBe(10_000 - stuck.writableLength / line.length);
});

/** The environment of a process that logs much, and stops at once. */
const talkative = (apiUrl: string): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  PORT: "0",
  HOST: "127.0.0.1",
  ADMIN_PORT: "0",
  HTTP_API_URL: apiUrl,
  LOG_LEVEL: "debug",
  DRAIN_WINDOW: "0",
  RATE_LIMIT_OPERATIONS: "100000/1s",
});

test.each(["stands still", "has gone"])("a process whose log reader %s goes on, and stops", async (what) => {
  await using api = await startDevApi({ file: ":memory:" });
  await using directory = await temporaryDirectory();
  const [program, ...args] = START_COMMAND;
  const child = spawn(program, args, {
    cwd: directory.path,
    env: { ...talkative(api.url), HTTP_API_RETRIES: "1" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  let started: Record<string, unknown> = {};
  for await (const line of lines) {
    started = JSON.parse(line) as Record<string, unknown>;
    if (started["msg"] === "listening") break;
  }
  lines.close();
  if (what === "has gone") child.stdout.destroy();
  else child.stdout.pause();
  const url = String(started["url"]);
  const adminUrl = String(started["admin"]);
  using down = api.faults.down();
  void down;
  const headers = { "x-request-id": "r".repeat(128) };
  const dropped = async (): Promise<number> =>
    (await scrape(adminUrl)).value("chat_gateway_log_lines_dropped_total") ?? 0;
  const token = api.users[0]?.token;
  const query = print(MeDocument);
  while ((await dropped()) === 0) {
    await Promise.all(Array.from({ length: 100 }, () => postOperation(url, { query }, token, headers)));
  }
  expect((await fetch(new URL("/health", url))).status).toBe(200);
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});

test("a process whose terminal is paused goes on, and stops", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  await using directory = await temporaryDirectory();
  const command = START_COMMAND.map((word) => `'${word}'`).join(" ");
  // `script` of util-linux gives what it runs a terminal, and passes on what is written there while somebody reads it.
  const child = spawn("script", ["-qec", `exec ${command}`, "/dev/null"], {
    cwd: directory.path,
    env: talkative(api.url),
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    output += stripVTControlCharacters(String(chunk));
    if (/api: ".*"/.test(output)) break;
  }
  child.stdout.pause();
  const pid = Number(await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
  onTestFinished(() => void (isRunning(pid) && process.kill(pid, "SIGKILL")));
  const url = /url: "(.*)"/.exec(output)?.[1] ?? "";
  const adminUrl = /admin: "(.*)"/.exec(output)?.[1] ?? "";
  const dropped = async (): Promise<number> =>
    (await scrape(adminUrl)).value("chat_gateway_log_lines_dropped_total") ?? 0;
  const operation = { query: "subscription { messageAdded { id } }" };
  while ((await dropped()) === 0) {
    const streams = Array.from({ length: 40 }, () => openEventStream(url, operation, api.users[0]?.token));
    for (const stream of await Promise.all(streams)) stream.abort();
  }
  expect((await fetch(new URL("/health", url))).status).toBe(200);
  process.kill(pid, "SIGTERM");
  await expect.poll(() => isRunning(pid)).toBe(false);
});

/** A process that has ended, but that its parent has not asked about, does not run any more. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

test("without the REST API and Redis, any number of clients make fewer than ten lines a second", async () => {
  await using redis = await startRedis();
  await using gateway = await startGatewayProcess({
    REDIS_URL: redis.url,
    HTTP_API_RETRIES: "3",
    RATE_LIMIT_OPERATIONS: "100000/1s",
  });
  const { api, wsUrl, url, process: running } = gateway;
  const token = api.users[0]?.token;
  await using stays = connect(wsUrl, token);
  await stays.run(MeDocument);
  await redis.kill();
  using down = api.faults.down();
  void down;
  await running.logged("Redis, or a node of it, is disconnected");
  const before = running.log.length;
  // Each round is a failure of every client: far more lines, were they all written.
  for (let round = 0; round < 3; round++) {
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        // Of somebody of whom nothing is known yet.
        const unknown = randomUUID();
        await using refused = connect(wsUrl, unknown);
        expect((await refused.closed).code).toBe(1013);
        expect((await postOperation(url, { query: print(ChatsDocument) }, unknown)).errors).toBeDefined();
      }),
    );
  }
  running.send("SIGTERM");
  await running.exited;
  const lines = running.log
    .slice(before)
    .filter(({ msg }) => !["connection closed", "stopping", "stopped"].includes(String(msg)));
  const times = lines.map(({ time }) => Date.parse(String(time)));
  for (const time of times)
    expect(times.filter((other) => other >= time && other < time + 1000).length).toBeLessThan(10);
  // An expected failure needs no stack, and what was left out is told.
  expect(lines.filter((line) => JSON.stringify(line).includes('"stack"'))).toEqual([]);
  expect(lines.some(({ suppressed }) => Number(suppressed) > 0)).toBe(true);
});

test("at info each record that was left out, each origin and each user that was refused is written once", async () => {
  const bad = ["bad 1", "bad 2", "bad 3"];
  await using api = await startSmallApi({
    chats: [chatRecord("good", { participants: ["ann", "ben"] }), ...bad.map((id) => ({ id }))],
    answer: byToken,
  });
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const limits = { MAX_CONNECTIONS_PER_USER: "1", CORS_ORIGIN: "https://own.example" };
  await using gateway = await startGateway(
    { HTTP_API_URL: api.url, ...limits },
    { log: createLog({ LOG_LEVEL: "info" }, { write }) },
  );
  const origins = ["https://one.example", "https://other.example"];
  for (const origin of [...origins, ...origins]) await fetch(gateway.url, { headers: { origin } });
  await using stack = new AsyncDisposableStack();
  for (const user of ["ann", "ben"]) {
    await stack.use(connect(gateway.wsUrl, user)).acknowledged;
    for (const refused of [connect(gateway.wsUrl, user), connect(gateway.wsUrl, user)]) {
      expect((await stack.use(refused).closed).code).toBe(1013);
    }
  }
  const valuesOf = (name: string, message: string): unknown[] =>
    lines.filter(({ msg }) => String(msg).includes(message)).map((line) => line[name]);
  expect(valuesOf("id", "left out")).toEqual(bad);
  expect(valuesOf("origin", "origin is refused")).toEqual(origins);
  expect(valuesOf("userId", "MAX_CONNECTIONS_PER_USER")).toEqual(["ann", "ben"]);
});
