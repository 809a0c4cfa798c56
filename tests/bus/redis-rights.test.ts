/** The bus keeps its promises as a user that may do no more than docs/SCALING.md says. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRedisCluster, type RedisCluster } from "../support/redis-cluster.ts";
import {
  addUser,
  asUser,
  LIBRARY_COMMANDS,
  NODE_COMMANDS,
  PASSWORD,
  refusals,
  rights,
  SENTINEL_RULES,
  SERVER_COMMANDS,
  USERNAME,
} from "../support/redis-rights.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { startLoneSentinel, type LoneSentinel } from "../support/sentinel.ts";
import { redisContract } from "./redis-contract.ts";

const DATABASE = 1;
let server: RedisServer;
let master: RedisServer;
let sentinel: LoneSentinel;
let cluster: RedisCluster;
const closing = new AsyncDisposableStack();

beforeAll(async () => {
  server = closing.use(await startRedis());
  await addUser(server, rights(SERVER_COMMANDS));
  master = closing.use(await startRedis());
  // In another database than 0 that has to be selected.
  await addUser(master, rights([...SERVER_COMMANDS, "select"]));
  sentinel = closing.use(
    await startLoneSentinel(master, {
      users: [`user ${USERNAME} ${SENTINEL_RULES.join(" ")}`, "user default reset on nopass +acl"],
    }),
  );
  cluster = closing.use(await startRedisCluster());
  for (const node of cluster.nodes) await addUser(node, rights(NODE_COMMANDS));
});
afterAll(() => closing.disposeAsync());

function contractAsUser(name: string, urlOf: () => string): void {
  redisContract(`${name} with the least rights`, () => asUser(urlOf()));
}

contractAsUser("Redis", () => server.url);
contractAsUser("Sentinel", () => sentinel.url.replace("/0?", `/${DATABASE}?`));
contractAsUser("a cluster", () => cluster.url);

describe("these rights", () => {
  test("are enough: nothing was refused", async () => {
    for (const each of [server, master, ...cluster.nodes]) expect(await refusals(each)).toEqual([]);
  });

  test("name nothing that the sources do not use", async () => {
    const files = await readdir("src/bus/redis", { recursive: true, withFileTypes: true });
    const paths = files.filter((file) => file.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const sources = (await Promise.all(paths.map((path) => readFile(path, "utf8")))).join("\n");
    const ours = [...SERVER_COMMANDS, ...NODE_COMMANDS].filter((name) => !LIBRARY_COMMANDS.includes(name));
    const unused = ours.filter((name) => !new RegExp(`call\\('${name}'|\\.${name}\\(`, "i").test(sources));
    expect(unused).toEqual([]);
  });

  test("are in docs/SCALING.md, to be copied", async () => {
    const text = await readFile("docs/SCALING.md", "utf8");
    const documented = Array.from(text.matchAll(/^ACL SETUSER gateway .*$/gm), ([line]) => line);
    const lines = [rights(SERVER_COMMANDS), rights(NODE_COMMANDS), SENTINEL_RULES].map((rules) => rules.join(" "));
    expect(documented).toEqual(lines.map((line) => `ACL SETUSER gateway ${line.replace(`>${PASSWORD}`, ">password")}`));
  });
});
