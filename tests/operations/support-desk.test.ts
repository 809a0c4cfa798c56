/** The commands of "Questions of a support desk" in docs/OPERATIONS.md, as they stand there, after something has happened at a gateway. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { connect, ResultErrors } from "../support/client.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import { ChatsDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { temporaryDirectory } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { MESSAGES, operationId, visit } from "../support/returning-client.ts";

const TOKEN = "an-admin-token-of-thirty-two-characters";
const GUIDE = new URL("../../docs/OPERATIONS.md", import.meta.url);

interface Question {
  readonly title: string;
  readonly commands: readonly string[];
}

/** The questions, in their order. */
async function readQuestions(): Promise<readonly Question[]> {
  const [, section = ""] = (await readFile(GUIDE, "utf8")).split("## Questions of a support desk\n");
  return section
    .split(/^\d+\. /m)
    .slice(1)
    .map((text) => {
      const [, title = ""] = /^\*\*(.*?)\*\*/.exec(text) ?? [];
      const blocks = [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, block = ""]) => block);
      const lines = blocks
        .join("")
        .split("\n")
        .map((line) => line.trim());
      return { title, commands: lines.filter((line) => line !== "") };
    });
}

test("each question of the support desk is answered by its command", async () => {
  const questions = await readQuestions();
  expect(questions).toHaveLength(10);
  await using redis = await startRedis();
  await using gateway = await startGatewayProcess({
    REDIS_URL: redis.url,
    LOG_LEVEL: "debug",
    ADMIN_PORT: "0",
    ADMIN_TOKEN: TOKEN,
    HTTP_API_RETRIES: "1",
  });
  const { api, wsUrl, process: running } = gateway;
  const [alice, bob] = api.users;
  const [user = "", token = ""] = [alice?.id, alice?.token];
  await using sender = connect(wsUrl, bob?.token);
  await sender.run(ChatsDocument);
  const send = async (content: string): Promise<string> =>
    (await sender.run(SendMessageDocument, { chatId: api.demoChatId, content })).sendMessage.id;

  // Alice gets a message, loses the connection, misses one, and comes back for it.
  const operation = { query: MESSAGES, variables: { chatId: api.demoChatId } };
  const first = await visit(wsUrl, token);
  const before = await first.follow("alice", operation);
  const messageId = await send("delivered");
  await before.has("delivered");
  await first.confirmed();
  await first.drop();
  await send("missed");
  const second = await visit(wsUrl, token);
  const after = await second.followAs(operationId("alice"), operation);
  await after.has("missed");
  await second.leave(4999);
  await using third = connect(wsUrl, token);
  await third.run(ChatsDocument);
  // And the REST API fails once.
  const down = api.faults.down();
  const failed = await send("refused").catch((error: unknown) => error);
  down[Symbol.dispose]();
  const requestId = failed instanceof ResultErrors ? failed.errors[0]?.extensions?.["requestId"] : undefined;
  // The log is read on another way than the answers.
  const logged = (values: Readonly<Record<string, unknown>>): number =>
    running.log.filter((line) => Object.entries(values).every(([name, value]) => line[name] === value)).length;
  await expect.poll(() => logged({ msg: "connection closed", userId: user })).toBe(2);
  await expect.poll(() => logged({ msg: "connection opened", userId: user })).toBe(3);
  await expect.poll(() => logged({ msg: "message delivered", messageId })).toBe(1);
  await expect.poll(() => logged({ requestId })).toBeGreaterThan(0);

  await using directory = await temporaryDirectory();
  const log = join(directory.path, "gateway.log");
  await writeFile(log, running.output);
  const { admin } = await running.logged("listening");
  const env = {
    PATH: process.env["PATH"],
    ADMIN: String(admin).replace(/\/$/, ""),
    AUTH: `Authorization: Bearer ${TOKEN}`,
    LOG: log,
    U: user,
    M: messageId,
    R: String(requestId),
  };
  const run = promisify(execFile);
  const answers: string[] = [];
  for (const { commands } of questions) {
    const outputs: string[] = [];
    for (const command of commands) outputs.push((await run("bash", ["-euc", command], { env })).stdout.trim());
    answers.push(outputs.join("\n"));
  }
  const lines = (answer = ""): unknown[] => answer.split("\n").map((line) => JSON.parse(line) as unknown);
  const [connected = "", message, connections, closed, resumed, request, ready, rest, onRedis = "", ended = ""] =
    answers;
  expect(connected).toMatch(/^\[\n[^]*"transport": "websocket"[^]*\n\]\n\[\]$/);
  expect(lines(message)).toMatchObject([{ msg: "message delivered", chatId: api.demoChatId, recipients: 1 }]);
  expect(lines(connections)).toMatchObject([
    { msg: "connection opened" },
    { msg: "connection closed", code: 1006 },
    { msg: "connection opened" },
    { msg: "connection closed", code: 4999 },
    { msg: "connection opened" },
  ]);
  expect(lines(closed)).toMatchObject([
    { code: 1006, delivered: 1 },
    { code: 4999, delivered: 1 },
  ]);
  expect(lines(resumed)).toMatchObject([{ starts: { new: 1 } }, { starts: { resumed: 1 } }]);
  expect(lines(request)).toEqual([
    expect.objectContaining({ code: "UPSTREAM_UNAVAILABLE", error: expect.any(String) }),
  ]);
  expect(ready).toMatch(/^chat_gateway_upstream_breaker_state \d$/m);
  expect(ready).toMatch(/^chat_gateway_redis_up 1$/m);
  expect(ready).toMatch(/^chat_gateway_closes_total\{code="1006"\} 1$/m);
  expect(rest).toMatch(/^chat_gateway_upstream_request_seconds_count\{route="[^"]+",outcome="[^"]+"\} [1-9]/m);
  expect(JSON.parse(onRedis)).toMatchObject({ isConfigured: true, isUp: true });
  expect(JSON.parse(ended)).toMatchObject({ userId: user, isPublished: true });
  expect(await third.closed).toEqual({ code: 4403, reason: "Signed out" });
});
