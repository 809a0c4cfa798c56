/** Where containers run a gateway: as process 1, as another user than root, on a file system that nobody can write to, short of files. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startDevApi } from "../../src/dev/api.ts";
import { connect } from "../support/client.ts";
import { ChatsDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { START_COMMAND, startProcess } from "../support/process.ts";

const QUICK = { PORT: "0", HOST: "127.0.0.1", DRAIN_WINDOW: "0", RATE_LIMIT_MESSAGES: "100000/1s" };
const CLEAN = { code: 0, signal: null };
const run = promisify(execFile);

/** A process id namespace of its own, whose process 1 the command is. */
const AS_PROCESS_1 = ["unshare", "--fork", "--pid", "--kill-child"] as const;

/** A mount namespace of its own, in which nothing can be written, as nobody. */
const ON_READ_ONLY = [
  "unshare",
  "--mount",
  "sh",
  "-c",
  'mount --bind / / && mount -o remount,ro,bind / && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"',
  "sh",
] as const;

function isPossible(command: readonly [string, ...string[]]): Promise<boolean> {
  const [program, ...args] = command;
  return run(program, args).then(
    () => true,
    () => false,
  );
}

test.skipIf(!(await isPossible([...AS_PROCESS_1, "true"])))("as process 1 it stops at SIGTERM", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const env = { ...QUICK, HTTP_API_URL: api.url };
  await using started = await startProcess({ command: [...AS_PROCESS_1, ...START_COMMAND], env });
  await started.logged("listening");
  const children = await readFile(`/proc/${started.pid}/task/${started.pid}/children`, "utf8");
  process.kill(Number(children), "SIGTERM");
  expect(await started.exited).toEqual(CLEAN);
  expect(started.log.map(({ msg }) => msg)).toEqual(["listening", "stopping", "stopped"]);
});

test.skipIf(!(await isPossible([...ON_READ_ONLY, process.execPath, "--version"])))(
  "as nobody, on a read-only file system, it serves",
  async () => {
    await using api = await startDevApi({ file: ":memory:" });
    const env = { ...QUICK, HTTP_API_URL: api.url };
    await using started = await startProcess({ command: [...ON_READ_ONLY, ...START_COMMAND], env, cwd: "/" });
    const url = await started.url();
    expect(await readFile(`/proc/${started.pid}/status`, "utf8")).toMatch(/^Uid:\t65534\t/m);
    await using client = connect(url.replace(/^http/, "ws"), api.users[0]?.token);
    expect((await client.run(ChatsDocument)).chats).not.toEqual([]);
    started.send("SIGTERM");
    expect(await started.exited).toEqual(CLEAN);
  },
);

test("short of files it takes no more connections, and goes on when there are some again", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const env = { ...QUICK, HTTP_API_URL: api.url };
  const command = ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", ...START_COMMAND] as const;
  await using started = await startProcess({ command: [...command], env });
  const url = await started.url();
  await using control = connect(url.replace(/^http/, "ws"), api.users[0]?.token);
  await control.run(ChatsDocument);
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: 100 }, () => connectTcp(Number(port), hostname).on("error", () => undefined));
  await Promise.allSettled(sockets.map((socket) => once(socket, "connect")));
  // Whether the REST API can be reached or not, there is an answer.
  await control.run(ChatsDocument).catch(() => undefined);
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => statusOf(url)).toBe(200);
  const { sendMessage } = await control.run(SendMessageDocument, { chatId: api.demoChatId, content: "still here" });
  expect(sendMessage.content).toBe("still here");
  started.send("SIGTERM");
  expect(await started.exited).toEqual(CLEAN);
});

async function statusOf(url: string): Promise<number | undefined> {
  const response = await fetch(new URL("/ready", url)).catch(() => undefined);
  return response?.status;
}
