import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { violations } from "./rules.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

test("every file of src keeps the rules", () => {
  const files = globSync("src/**/*.ts", { cwd: root });
  expect(files.length).toBeGreaterThan(0);
  const broken = files.flatMap((path) => violations(path, readFileSync(`${root}${path}`, "utf8")));
  expect(broken).toEqual([]);
});

describe("imports", () => {
  test.each([
    ["src/bus/redis/redis-bus.ts", 'import { Sessions } from "../../chat/sessions.ts";'],
    ["src/bus/redis/redis-bus.ts", 'import type { Sessions } from "../../chat/sessions.ts";'],
    ["src/bus/redis/redis-bus.ts", 'export { Sessions } from "../../chat/sessions.ts";'],
    ["src/bus/redis/redis-bus.ts", 'export * from "../../chat/sessions.ts";'],
    ["src/bus/redis/redis-bus.ts", 'export const later = () => import("../../chat/sessions.ts");'],
    ["src/bus/redis/redis-bus.ts", 'export type Sessions = import("../../chat/sessions.ts").Sessions;'],
    ["src/bus/redis/redis-bus.ts", 'import "../../chat/sessions.ts";'],
    ["src/bus/redis/redis-bus.ts", 'import type { ChatApi } from "../../upstream/chat-api.ts";'],
    ["src/upstream/rest.ts", 'import { Bus } from "../bus/bus.ts";'],
    ["src/fanout/frames.ts", 'import { builder } from "../graphql/builder.ts";'],
    ["src/server/http.ts", 'import { createGateway } from "../gateway.ts";'],
    ["src/gateway.ts", 'import "./main.ts";'],
    ["src/errors.ts", 'import type { WireChat } from "./upstream/wire.ts";'],
    ["src/chat/messages.ts", 'import { start } from "../dev/server.ts";'],
    ["src/dev/server.ts", 'import type { ChatApi } from "../upstream/chat-api.ts";'],
    ["src/dev/server.ts", 'import { Bus } from "../bus/bus.ts";'],
    ["src/log.ts", 'import { kit } from "../tests/support/kit.ts";'],
    ["src/chat/messages.ts", 'import { trim } from "../utils/trim.ts";'],
  ])("%s: %s", (path, source) => {
    const [sentence, ...more] = violations(path, source);
    expect(sentence).toMatch(new RegExp(`^${path} imports (src|tests)/.*\\.$`));
    expect(more).toEqual([]);
  });

  test("the sentence says where the code belongs", () => {
    expect(violations("src/bus/redis/redis-bus.ts", 'import { Sessions } from "../../chat/sessions.ts";')).toEqual([
      "src/bus/redis/redis-bus.ts imports src/chat/sessions.ts: imports go down only, " +
        "main → gateway → server → graphql → fanout → recovery → chat → upstream, bus → foundation. " +
        "What both need belongs in src/*.ts: what every layer needs, or in the lower of the two; " +
        "what needs src/chat/sessions.ts belongs in src/chat/: the domain, without GraphQL.",
    ]);
  });

  test("a file outside the layers is named", () => {
    expect(violations("src/utils/trim.ts", "export {};")).toEqual([
      expect.stringMatching(/^src\/utils\/trim\.ts is in no layer: /),
    ]);
  });

  test.each([
    ["src/main.ts", 'import { createGateway } from "./gateway.ts";'],
    ["src/index.ts", 'import { createGateway } from "./gateway.ts";'],
    ["src/gateway.ts", 'import { start } from "./dev/server.ts";'],
    ["src/fanout/frames.ts", 'import { Bus } from "../bus/bus.ts"; import { Log } from "../log.ts";'],
    ["src/dev/server.ts", 'import type { WireChat } from "../upstream/wire.ts"; import { Log } from "../log.ts";'],
    ["src/chat/messages.ts", 'import { Sessions } from "./sessions.ts"; // import "../server/http.ts"'],
    ["src/chat/messages.ts", "export const text = 'import \"../server/http.ts\"';"],
    ["src/gateway.ts", 'import manifest from "../package.json" with { type: "json" };'],
  ])("%s may: %s", (path, source) => {
    expect(violations(path, source)).toEqual([]);
  });
});

describe("packages", () => {
  test.each([
    ["ioredis", "src/chat/presence.ts", "src/bus/redis/redis-bus.ts"],
    ["graphql-redis-subscriptions", "src/server/http.ts", "src/bus/redis/redis-bus.ts"],
    ["undici", "src/server/http.ts", "src/upstream/rest.ts"],
    ["ws", "src/gateway.ts", "src/server/socket.ts"],
    ["graphql-ws/use/ws", "src/graphql/schema.ts", "src/server/websocket/socket.ts"],
    ["graphql", "src/chat/messages.ts", "src/graphql/schema.ts"],
    ["graphql-yoga", "src/errors.ts", "src/server/http.ts"],
    ["@pothos/core", "src/bus/bus.ts", "src/graphql/builder.ts"],
  ])("%s is not for %s, but for %s", (name, stranger, home) => {
    const source = `import type { Something } from "${name}";`;
    expect(violations(stranger, source)).toEqual([expect.stringMatching(/ imports .*, which lives in src\//)]);
    expect(violations(home, source)).toEqual([]);
  });
});

describe("the process", () => {
  test.each([
    ["process.env", 'export const port = process.env["PORT"];', "src/config/config.ts"],
    ["process.env", 'export const port = process["env"]["PORT"];', "src/config/config.ts"],
    ["process.env", 'import { env } from "node:process"; export const port = env["PORT"];', "src/config/config.ts"],
    [
      "process.env",
      "export const port = (): unknown => { const { env } = process; return env; };",
      "src/config/config.ts",
    ],
    ["process.exit", "export const stop = () => process.exit(1);", "src/main.ts"],
    ["process.exit", 'import { exit as leave } from "process"; leave(1);', "src/main.ts"],
  ])("%s: %s is for its owner alone", (name, source, owner) => {
    expect(violations("src/server/http.ts", source)).toEqual([
      expect.stringMatching(`^src/server/http.ts uses ${name}, which only ${owner} may: `),
    ]);
    expect(violations(owner, source)).toEqual([]);
  });

  test.each(['console.error("no");', "const { log } = console;"])("nobody uses the console: %s", (source) => {
    expect(violations("src/main.ts", source)).toEqual([expect.stringMatching(/ uses console\.\w+: /)]);
  });

  test("other members of the process are free", () => {
    expect(violations("src/log.ts", "export const tty = process.stdout.isTTY; process.exitCode = 1;")).toEqual([]);
  });
});

describe("state", () => {
  test.each([
    "let count = 0;",
    "export let count = 0;",
    "var count = 0;",
    "const count = new Map<string, number>();",
    "export const count = new Set();",
  ])("none in a module: %s", (source) => {
    expect(violations("src/chat/messages.ts", source)).toEqual([
      expect.stringMatching(/^src\/chat\/messages\.ts keeps state in its module \(count\): /),
    ]);
  });

  test.each([
    'export const CODES = new Set(["a"]);',
    "export function count(): number { let sum = 0; for (const n of [1]) sum += n; return sum; }",
    "declare let count: number;",
  ])("not state: %s", (source) => {
    expect(violations("src/chat/messages.ts", source)).toEqual([]);
  });
});

describe("function literals", () => {
  test.each(["class A { b; c(d) { d.onEnd = () => this.b; } }", "export function f(d) { d.onEnd = function () {}; }"])(
    "none is assigned to a property: %s",
    (source) => {
      expect(violations("src/chat/messages.ts", source)).toEqual([
        expect.stringMatching(/^src\/chat\/messages\.ts assigns a function literal to a property \(onEnd\): /),
      ]);
    },
  );

  test.each([
    "export function f(d) { const end = () => d; d.onEnd = end; }",
    "export const d = { onEnd: () => 1 };",
    "export class A { readonly b = () => 1; }",
  ])("may be elsewhere: %s", (source) => {
    expect(violations("src/chat/messages.ts", source)).toEqual([]);
  });
});
