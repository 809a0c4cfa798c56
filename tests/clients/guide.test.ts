/** The code in docs/FRONTEND.md, run as it stands there. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { createElement, type FunctionComponent } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { startGateway } from "../support/gateway.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { startRelay } from "../support/relay.ts";
import { overHttp } from "../support/runner.ts";

const [alice, bob] = DEMO_USERS;
const { team: chatId } = DEMO_CHATS;

const ROOT = new URL("../../", import.meta.url);
const GUIDE = readFileSync(new URL("docs/FRONTEND.md", ROOT), "utf8");

/** What the guide says that an application has. */
const GIVEN = `export {};
type Sent = { readonly content: string };
declare global {
  const url: string;
  const chatId: string;
  function currentToken(): Promise<string>;
  function askForLogin(): void;
  function showMessage(message: Sent): void;
  function showMessages(messages: readonly { readonly text: string }[]): void;
  function showChats(chats: readonly object[]): void;
  function showStatus(status: string): void;
  function showError(error: unknown): void;
}
`;

const TSCONFIG = {
  extends: "../../../tsconfig.json",
  compilerOptions: { jsx: "react-jsx", lib: ["es2024", "dom", "dom.iterable"], noUnusedLocals: false },
};

interface Snippet {
  readonly name: string;
  readonly language: string;
  readonly code: string;
}

const snippets: readonly Snippet[] = [...GUIDE.matchAll(/^<!-- run: (\S+) -->\n```(\w+)\n([\s\S]*?)^```$/gm)].map(
  ([, name = "", language = "", code = ""]) => ({ name, language, code }),
);

/** What disconnects the code of the guide. */
interface Connected {
  dispose?(): unknown;
  close?(): unknown;
}

interface Loaded {
  readonly client: Connected;
  readonly socket?: Connected;
}

function snippet(wanted: string): Snippet {
  const found = snippets.find(({ name }) => name === wanted);
  if (!found) throw new Error(`the guide has no ${wanted}`);
  return found;
}

/** A directory from which the packages' names lead where they should, with the guide's code in it. */
async function besideTheSources() {
  const directory = await mkdtempDisposable(join(import.meta.dirname, ".guide-"));
  const write = (name: string, content: string): Promise<void> => writeFile(join(directory.path, name), content);
  const code = snippets.filter(({ language }) => language !== "sh");
  const files = ["given.d.ts", ...code.map(({ name, language }) => `${name}.${language}`)];
  await write("given.d.ts", GIVEN);
  await write("tsconfig.json", JSON.stringify({ ...TSCONFIG, files, include: [] }));
  for (const { name, language, code: source } of code) {
    const exported = source.includes("const socket") ? "client, socket" : "client";
    await write(`${name}.${language}`, language === "tsx" ? source : `${source}\nexport { ${exported} };\n`);
  }
  return directory;
}

const load = async (directory: string, { name, language }: Snippet): Promise<unknown> =>
  import(pathToFileURL(join(directory, `${name}.${language}`)).href);

/** Runs a program to its end: its exit code, and what it printed. */
async function output(command: string, args: readonly string[]): Promise<[code: unknown, text: string]> {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => lines.push(String(data)));
  const [code] = (await once(child, "close")) as [unknown];
  return [code, lines.join("")];
}

/** Gives the code of the guide what it expects of an application, which keeps what it shows. */
function application(url: string): { readonly shown: readonly string[]; readonly errors: readonly unknown[] } {
  const shown: string[] = [];
  const errors: unknown[] = [];
  const stored = new Map<string, string>();
  const given = {
    url,
    chatId,
    currentToken: async () => alice.token,
    askForLogin: () => errors.push("no token"),
    showMessage: ({ content }: { content: string }) => shown.push(content),
    showMessages: (items: readonly { text: string }[]) => shown.splice(0, Infinity, ...items.map((item) => item.text)),
    showChats: () => undefined,
    showStatus: () => undefined,
    showError: (error: unknown) => errors.push(error),
    localStorage: {
      getItem: (key: string) => stored.get(key),
      setItem: (key: string, value: string) => stored.set(key, value),
    },
  };
  for (const [name, value] of Object.entries(given)) vi.stubGlobal(name, value);
  return { shown, errors };
}

afterEach(() => void vi.unstubAllGlobals());

// The compiler has the time that it takes on a busy machine.
test("every piece of code in the guide is run, and fits its types", { timeout: 300_000 }, async () => {
  const fenced = [...GUIDE.matchAll(/^```(tsx?|js|python)$/gm)];
  expect(snippets.map(({ name }) => name)).toEqual(["kit", "react", "apollo", "urql", "graphql-ws", "sse", "python"]);
  expect(fenced).toHaveLength(snippets.filter(({ language }) => language !== "sh").length);
  await using directory = await besideTheSources();
  const compiler = new URL("node_modules/.bin/tsc", ROOT).pathname;
  expect(await output(compiler, ["--project", directory.path])).toEqual([0, ""]);
});

test("the guide shows each connection state of the client kit, with a screenshot", () => {
  const kit = readFileSync(new URL("client/src/types.ts", ROOT), "utf8");
  const [, union = ""] = /type ConnectionStatus =([^;]*);/.exec(kit) ?? [];
  const states = [...union.matchAll(/"([^"]+)"/g)].map(([, state = ""]) => state);
  expect([...GUIDE.matchAll(/^\| `([a-z-]+)` \|.*\(images\/state-\1\.png\) \|$/gm)].map(([, state]) => state)).toEqual(
    states,
  );
  for (const state of states) {
    const size = readFileSync(new URL(`docs/images/state-${state}.png`, ROOT)).length;
    expect([state, size > 1000, size < 20_000]).toEqual([state, true, true]);
  }
});

describe.each(["kit", "apollo", "urql", "graphql-ws", "sse"])("the guide's code for %s", (name) => {
  test("shows what arrives, and what was missed while its connection was cut", async () => {
    await using directory = await besideTheSources();
    await using gateway = await startGateway({}, { statisticsIntervalMs: 20 });
    await using relay = await startRelay(gateway.url);
    const { shown, errors } = application(relay.url);
    const { client, socket = client } = (await load(directory.path, snippet(name))) as Loaded;
    const friend = overHttp(gateway.url, bob.token);
    const send = (content: string): Promise<unknown> => friend.run(SendMessageDocument, { chatId, content });
    await expect.poll(() => gateway.logged.some(({ subscriptions }) => Number(subscriptions) > 0)).toBe(true);
    await send("live");
    await expect.poll(() => shown).toContain("live");
    relay.redirect(1);
    relay.cut();
    await send("missed");
    relay.redirect(Number(new URL(gateway.url).port));
    await expect.poll(() => shown).toContain("missed");
    expect(shown.filter((shownText) => shownText === "missed")).toHaveLength(1);
    // What the snippet sends by itself, if anything.
    const sent = snippet(name).code.match(/Hello!/g) ?? [];
    const arrived = (): string[] =>
      gateway.api.data.messages(chatId).flatMap(({ content }) => (content === "Hello!" ? [content] : []));
    await expect.poll(arrived).toEqual(sent);
    expect(errors).toEqual([]);
    await (socket.close?.() ?? socket.dispose?.());
  });
});

test("the guide's page for React renders on a server", async () => {
  await using directory = await besideTheSources();
  const { App } = (await load(directory.path, snippet("react"))) as { App: FunctionComponent<{ chatId: string }> };
  expect(renderToString(createElement(App, { chatId }))).toContain("<header>connecting, 0 unread</header>");
});

test("the guide's client in Python waits for a REST API that is down, goes on after a cut, and ends when its token is refused", async () => {
  await using gateway = await startGateway();
  await using relay = await startRelay(gateway.url);
  const outage = gateway.api.faults.unavailable({ path: /messages/ });
  const env = { ...process.env, PATH: "/usr/bin:/bin", URL: relay.url, CHAT_ID: chatId };
  const start = (token: string) =>
    spawn("bash", ["-c", snippet("python").code], { cwd: ROOT, env: { ...env, TOKEN: token }, detached: true });
  const child = start(alice.token);
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const complaint = text(child.stderr);
    const next = async (): Promise<string> => {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the client has ended: ${await complaint}`);
      return value;
    };
    const { requests } = gateway.api.faults;
    const asked = (): number => (child.exitCode === null ? requests.count({ path: /messages/ }) : Infinity);
    // More often than for one operation of the client: the gateway tries again too.
    await expect.poll(asked).toBeGreaterThan(6);
    outage.lift();
    expect(await next()).toBe("Alice Adams: Hello!");
    relay.redirect(1);
    relay.cut();
    const friend = overHttp(gateway.url, bob.token);
    await friend.run(SendMessageDocument, { chatId, content: "missed" });
    relay.redirect(Number(new URL(gateway.url).port));
    expect(await next()).toBe("Bob Brown: missed");
    await friend.run(SendMessageDocument, { chatId, content: "live" });
    expect(await next()).toBe("Bob Brown: live");
  } finally {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid);
  }
  const refused = start("nobody's");
  const [[code], complaint] = await Promise.all([once(refused, "close"), text(refused.stderr)]);
  expect([code, complaint]).toEqual([1, "refused: 4403 Token refused\n"]);
});
