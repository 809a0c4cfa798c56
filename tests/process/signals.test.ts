import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { expect, test } from "vitest";
import { START_COMMAND, startProcess, temporaryDirectory } from "../support/process.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const QUICK = { PORT: "0", DEV_API_FILE: ":memory:", DRAIN_WINDOW: "0" };
const CLEAN = { code: 0, signal: null };

test("npm passes a signal on, and ends when the gateway has stopped", async () => {
  await using npm = await startProcess({ command: ["npm", "start"], cwd: ROOT, env: QUICK });
  await npm.logged("listening");
  npm.send("SIGTERM");
  // Everything that holds its output is gone then, the gateway included.
  expect(await npm.exited).toEqual(CLEAN);
  expect(npm.log.map(({ msg }) => msg)).toEqual(["listening", "stopping", "stopped"]);
});

test("npm that is killed leaves no gateway behind", async () => {
  await using npm = await startProcess({ command: ["npm", "start"], cwd: ROOT, env: QUICK });
  await npm.logged("listening");
  npm.send("SIGKILL");
  expect(await npm.exited).toEqual({ code: null, signal: "SIGKILL" });
  expect(npm.log.map(({ msg }) => msg)).toEqual(["listening", "stopping", "stopped"]);
});

test("a terminal's Ctrl+C, which npm repeats, is one signal", async () => {
  // setsid makes a process group of its own, as a terminal's is.
  await using npm = await startProcess({ command: ["setsid", "npm", "start"], cwd: ROOT, env: QUICK });
  await npm.logged("listening");
  process.kill(-npm.pid, "SIGINT");
  await npm.exited;
  expect(npm.log.map(({ msg }) => msg)).toEqual(["listening", "stopping", "stopped"]);
});

test("SIGTERM while it starts stops it as soon as it has started", async () => {
  await using directory = await temporaryDirectory();
  await writeFile(join(directory.path, "adapter.mjs"), HELD_ADAPTER);
  const env = { ...QUICK, HTTP_API_URL: "http://127.0.0.1:9", HTTP_API_ADAPTER: "./adapter.mjs" };
  await using started = await startProcess({ cwd: directory.path, env });
  await started.printed(/loading/);
  started.send("SIGTERM");
  await started.logged("stopping");
  started.type("go on\n");
  expect(await started.exited).toEqual(CLEAN);
  expect(started.log.map(({ msg }) => msg)).toEqual(["stopping", "listening", "stopped"]);
});

test("SIGTERM while it is loaded stops it", async () => {
  await using directory = await temporaryDirectory();
  await writeFile(join(directory.path, "hold.mjs"), HELD_MODULE);
  const [program, ...args] = START_COMMAND;
  const command = [program, "--import", join(directory.path, "hold.mjs"), ...args] as const;
  await using started = await startProcess({ command, env: QUICK });
  await started.printed(/loading/);
  started.send("SIGTERM");
  expect(await started.exited).toEqual(CLEAN);
  expect(started.log).toEqual([]);
});

/** An adapter that is loaded when somebody types. */
const HELD_ADAPTER = `
process.stdout.write("loading\\n");
await new Promise((resolve) => process.stdin.once("data", resolve));
process.stdin.destroy();
const API = { profile() {}, chats() {}, messages() {}, sendMessage() {} };
export default { kind: "chat-api-adapter", lacks: ["receipts", "unreadCounts", "chat"], create: () => API };
`;

/** Keeps the gateway's modules from being loaded. */
const HELD_MODULE = `
import { registerHooks } from "node:module";
const source = 'process.stdout.write("loading"); await new Promise((resolve) => setTimeout(resolve, 2 ** 30)); export let createGateway;';
registerHooks({
  load: (url, context, next) =>
    url.endsWith("/gateway.ts") ? { format: "module", source, shortCircuit: true } : next(url, context),
});
`;
