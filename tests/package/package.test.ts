import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COMPILE_CACHE_TRACE, readCompileCache, type LoadedModules } from "../../scripts/compile-cache.ts";
import { startDevApi } from "../../src/dev/api.ts";
import { connect } from "../support/client.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { startProcess, temporaryDirectory } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { installInto, installPackages, type Installation } from "./installed.ts";

const FAR = { PORT: "0", HOST: "127.0.0.1", DRAIN_WINDOW: "0" };
const ADMIN = "an-admin-token-of-thirty-two-characters";
const CLEAN = { code: 0, signal: null };
const NODE_MODULES = fileURLToPath(new URL("../../node_modules/", import.meta.url));

async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}

/** An embedding program and an adapter, in TypeScript with the types of the package. */
const PROGRAM = `
import { createGateway, ConfigError, type GatewayOptions } from "graphql-chat-gateway";
import { defineAdapter, helpers, type Adapter } from "graphql-chat-gateway/adapter";

const api: Adapter = defineAdapter((http) => ({
  profile: async () => ({ userId: helpers.id({ _id: http.token }), name: "Ann" }),
  chats: async () => [],
  messages: async () => ({ messages: [] }),
  sendMessage: async () => Promise.reject(new Error("nowhere")),
}), { lacks: ["receipts", "unreadCounts", "chat"] });
const options: GatewayOptions = { PORT: 0, HOST: "127.0.0.1", CORS_ORIGIN: ["https://a.example", "https://b.example"], LOG_LEVEL: "silent", DRAIN_WINDOW: 0, api };
const refused: unknown = await createGateway({ PORT: 0 }).catch((error: unknown) => error);
await using gateway = await createGateway(options);
const response = await fetch(gateway.url, {
  method: "POST",
  headers: { "content-type": "application/json", authorization: "Bearer 7" },
  body: JSON.stringify({ query: "{ me { id name } chats { id } }" }),
});
console.log(JSON.stringify({ refused: refused instanceof ConfigError, answer: await response.json() }));
`;

/** A frontend without a screen. */
const FRONTEND = `
import { createChatClient } from "graphql-chat-client";

const [url, token, chatId, text] = process.argv.slice(2);
const client = createChatClient({ url, token });
const room = client.room(chatId);
const shown = new Promise((resolve) =>
  room.messages.subscribe(() => {
    const message = room.messages.get().items.find((item) => item.text === text && item.state === "sent");
    if (message) resolve(message);
  }),
);
room.send(text);
console.log(JSON.stringify(await shown));
await client.close();
`;

let installed: Installation;

beforeAll(async () => {
  installed = await installPackages();
  await writeFile(join(installed.path, "program.ts"), PROGRAM);
}, 400_000);

afterAll(() => installed[Symbol.asyncDispose]());

test("the package has JavaScript, types, source maps and what the sources read", async () => {
  const { "graphql-chat-gateway": gateway, "graphql-chat-client": client } = installed.files;
  expect([...gateway, ...client].filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts"))).toEqual([]);
  expect([...gateway, ...client].filter((path) => /^(tests|scripts|bench|src)\//.test(path))).toEqual([]);
  expect(gateway).toEqual(
    expect.arrayContaining([
      "LICENSE",
      "README.md",
      "THIRD_PARTY_NOTICES",
      "package.json",
      "schema/schema.graphql",
      "dist/src/index.js",
      "dist/src/index.d.ts",
      "dist/src/upstream/adapter/adapter.d.ts",
    ]),
  );
  expect(client).toEqual(
    expect.arrayContaining(["LICENSE", "README.md", "package.json", "dist/index.js", "dist/index.d.ts"]),
  );
  const { mappings, sourcesContent } = JSON.parse(
    await readFile(join(installed.path, "node_modules/graphql-chat-gateway/dist/src/gateway.js.map"), "utf8"),
  ) as { mappings: string; sourcesContent: string[] };
  expect(mappings).not.toBe("");
  expect(sourcesContent[0]).toContain("export async function createGateway(");
});

test("the command prints its version and its help", async () => {
  await using version = await startProcess({ command: installed.command("--version") });
  await using help = await startProcess({ command: installed.command("--help") });
  await using wrong = await startProcess({ command: installed.command("--nothing") });
  expect([await version.exited, await help.exited, await wrong.exited]).toEqual([
    CLEAN,
    CLEAN,
    { code: 2, signal: null },
  ]);
  expect(version.output).toBe(`${await packageVersion()}\n`);
  for (const word of ["doctor", "--dev", "--version", "HTTP_API_URL"]) expect(help.output).toContain(word);
  expect(wrong.errors).toContain("--help");
});

test("the command starts no development API that nobody asked for", async () => {
  await using started = await startProcess({ command: installed.command(), env: FAR });
  expect(await started.exited).toEqual({ code: 1, signal: null });
  expect(started.errors).toMatch(/^HTTP_API_URL is not set: /);
  await using asked = await startProcess({
    command: installed.command("--dev"),
    env: { ...FAR, DEV_API_FILE: ":memory:" },
  });
  await asked.printed(/embedded development API/);
});

test("the command runs a gateway, with Redis, GraphiQL and an adapter", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  await using redis = await startRedis();
  await writeFile(
    join(installed.path, "adapter.ts"),
    `import { defineAdapter, type ApiChat } from "graphql-chat-gateway/adapter";
     export default defineAdapter((http, { unwrap }) => ({
       profile: async () => unwrap(await http.get("/auth/profile"), "user"),
       chats: async (): Promise<ApiChat[]> => unwrap(await http.get("/chats"), "chats"),
       messages: async (chatId) => http.get("/chats/:chatId/messages", { params: { chatId } }),
       sendMessage: async (chatId, content) =>
         unwrap(await http.post("/chats/:chatId/messages", { params: { chatId }, body: { content } }), "message"),
     }), { lacks: ["receipts", "chat"] });`,
  );
  const env = {
    ...FAR,
    HTTP_API_URL: api.url,
    REDIS_URL: redis.url,
    HTTP_API_ADAPTER: "./adapter.ts",
    ADMIN_PORT: "0",
  };
  const admins = { ADMIN_PORT: "0", ADMIN_TOKEN: ADMIN };
  await using gateway = await startProcess({
    command: installed.command(),
    env: { ...env, ...admins },
    cwd: installed.path,
  });
  const url = await gateway.url();
  const { admin } = await gateway.logged("listening");
  const metrics = await (await fetch(new URL("/metrics", String(admin)))).text();
  expect(metrics).toContain(`chat_gateway_build_info{version="${await packageVersion()}"} 1`);
  const status = await fetch(new URL("/status", String(admin)), {
    headers: { accept: "text/html", authorization: `Bearer ${ADMIN}` },
  });
  expect([status.status, await status.text()]).toEqual([200, expect.stringContaining("<script>")]);
  const page = await fetch(url, { headers: { accept: "text/html" } });
  expect(await page.text()).toContain("graphiql");
  await using client = connect(url.replace(/^http/, "ws"), api.users[0]?.token);
  await using received = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  await client.run(SendMessageDocument, { chatId: api.demoChatId, content: "from a package" });
  expect((await received.next()).messageAdded.content).toBe("from a package");
  gateway.send("SIGTERM");
  expect(await gateway.exited).toEqual(CLEAN);
});

/** Packages that a start without Redis, traces, a terminal and the development API does without. */
const UNUSED = [
  "@graphql-yoga/render-graphiql",
  "@opentelemetry/exporter-trace-otlp-http",
  "@opentelemetry/sdk-trace",
  "graphql-redis-subscriptions",
  "ioredis",
  "pino-pretty",
];

/** With 1,253 modules a start takes half a second on one core. One that loads many more is slower, whatever machine it is on. */
const MOST_MODULES = 1300;

test("a start loads what it needs alone, and the second one compiles nothing", async () => {
  await using cache = await temporaryDirectory();
  await using api = await startDevApi({ file: ":memory:" });
  const env = { ...FAR, ...COMPILE_CACHE_TRACE, HTTP_API_URL: api.url, NODE_COMPILE_CACHE: cache.path };
  const trace = join(cache.path, "trace");
  // To a file: of what Node.js writes to a pipe that is full some is lost.
  const traced = ["sh", "-c", `exec "$@" 2>${trace}`, "sh", ...installed.command()] as const;
  const start = async (): Promise<LoadedModules> => {
    await using gateway = await startProcess({ command: traced, env });
    await gateway.url();
    gateway.send("SIGTERM");
    expect(await gateway.exited).toEqual(CLEAN);
    return readCompileCache(await readFile(trace, "utf8"));
  };
  const [first, second] = [await start(), await start()];
  expect(first.compiled).toEqual(first.loaded);
  expect(second.compiled).toEqual([]);
  expect(second.loaded.toSorted()).toEqual(first.loaded.toSorted());
  expect(second.loaded.length).toBeLessThan(MOST_MODULES);
  expect(second.loaded.filter((path) => path.includes("graphql-chat-gateway/dist/src/")).length).toBeGreaterThan(100);
  expect(second.loaded.filter((path) => UNUSED.some((name) => path.includes(`/node_modules/${name}/`)))).toEqual([]);
  expect(second.loaded.filter((path) => path.includes("graphql-chat-gateway/dist/src/dev/"))).toEqual([]);
});

test("the doctor examines an API", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const token = api.users[0]?.token ?? "";
  await using doctor = await startProcess({ command: installed.command("doctor", "--url", api.url, "--token", token) });
  expect(await doctor.exited).toEqual(CLEAN);
  expect(doctor.output).toMatch(/\d+ right, 0 wrong/);
});

test("a program embeds a gateway on an adapter of its own, and its types are right", async () => {
  const compilerOptions = {
    skipLibCheck: false,
    noEmit: true,
    strict: true,
    module: "nodenext",
    target: "es2024",
    lib: ["es2024", "dom", "esnext.disposable"],
    types: ["node"],
    typeRoots: [join(NODE_MODULES, "@types")],
  };
  await writeFile(
    join(installed.path, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["program.ts", "adapter.ts"] }),
  );
  const compiler = join(NODE_MODULES, "typescript/bin/tsc");
  await using checked = await startProcess({
    command: [process.execPath, compiler, "--project", installed.path],
    cwd: installed.path,
  });
  await checked.exited;
  expect(checked.output).toBe("");
  await using program = await startProcess({ command: [process.execPath, "program.ts"], cwd: installed.path });
  expect(await program.exited).toEqual(CLEAN);
  expect(JSON.parse(program.output)).toEqual({
    refused: true,
    answer: { data: { me: { id: "7", name: "Ann" }, chats: [] } },
  });
});

test("the client package runs in Node.js, and bundled by Vite without node_modules", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const env = { ...FAR, HTTP_API_URL: api.url };
  await using gateway = await startProcess({ command: installed.command(), env });
  const url = (await gateway.url()).replace(/^http/, "ws");
  const frontend = join(installed.path, "frontend.mjs");
  await writeFile(frontend, FRONTEND);
  await using elsewhere = await temporaryDirectory();
  await build({
    root: installed.path,
    configFile: false,
    logLevel: "silent",
    build: { outDir: elsewhere.path, lib: { entry: frontend, formats: ["es"], fileName: () => "bundle.mjs" } },
  });
  for (const file of [frontend, join(elsewhere.path, "bundle.mjs")]) {
    const args = [url, api.users[0]?.token ?? "", api.demoChatId, `from ${basename(file)}`];
    await using program = await startProcess({ command: [process.execPath, file, ...args], cwd: dirname(file) });
    expect(await program.exited).toEqual(CLEAN);
    expect(JSON.parse(program.output)).toMatchObject({ text: `from ${basename(file)}`, mine: true, state: "sent" });
  }
  const contents = api.data.messages(api.demoChatId).map(({ content }) => content);
  expect(contents.slice(-2)).toEqual(["from frontend.mjs", "from bundle.mjs"]);
});

test("the client package alone brings nothing of the server, with React and without", async () => {
  await using directory = await temporaryDirectory();
  const { path } = directory;
  await writeFile(join(path, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const packages = [...installed.tarballs.filter((file) => file.includes("graphql-chat-client-")), "react"];
  await installInto(path, packages);
  const brought = (await readdir(join(path, "node_modules"))).filter((name) => !name.startsWith("."));
  expect(brought.toSorted()).toEqual(["graphql", "graphql-chat-client", "graphql-ws", "react"]);
  await writeFile(
    join(path, "program.mjs"),
    `const names = async (name) => Object.keys(await import(name));
     console.log(JSON.stringify([await names("graphql-chat-client"), await names("graphql-chat-client/react")]));`,
  );
  await using program = await startProcess({ command: [process.execPath, "program.mjs"], cwd: path });
  expect(await program.exited).toEqual(CLEAN);
  expect(JSON.parse(program.output)).toEqual([
    expect.arrayContaining(["createChatClient"]),
    expect.arrayContaining(["useMessages"]),
  ]);
});
