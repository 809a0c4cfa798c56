/** Redis answers, and refuses to write: events wait, and everybody receives them in one order when it accepts them again. */
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { slotOf } from "../../src/bus/redis/connection/slot.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { MeDocument } from "../support/generated/graphql.ts";
import { nodeId, startRedisCluster } from "../support/redis-cluster.ts";
import { addUser, asUser, rights, SERVER_COMMANDS } from "../support/redis-rights.ts";
import { startRedis, type RedisServer, turn } from "../support/redis.ts";
import { answersReady, createChat, expectSame, join, PATIENTLY, sayUntil } from "./members.ts";

/** How a Redis comes to refuse. Resolves to what makes it accept again. */
type Fault = (server: RedisServer) => Promise<() => Promise<unknown>>;

async function missReplicas({ control }: RedisServer): ReturnType<Fault> {
  await control.config("SET", "min-replicas-to-write", 1);
  return () => control.config("SET", "min-replicas-to-write", 0);
}

async function runOutOfMemory({ control }: RedisServer): ReturnType<Fault> {
  await control.config("SET", "maxmemory", 1);
  return () => control.config("SET", "maxmemory", 0);
}

async function failToSave({ control }: RedisServer): ReturnType<Fault> {
  const status = async (): Promise<string | undefined> =>
    /rdb_last_bgsave_status:(\w+)/.exec(await control.info("persistence"))?.[1];
  const [, former = ""] = (await control.config("GET", "dir")) as string[];
  const removed = await mkdtemp(joinPath(tmpdir(), "removed-"));
  await control.config("SET", "dir", removed);
  await rmdir(removed);
  // Without a schedule a failed save does not matter to Redis.
  await control.config("SET", "save", "3600 1");
  await control.bgsave();
  await expect.poll(status, PATIENTLY).toBe("err");
  return async () => {
    await control.config("SET", "dir", former);
    await control.bgsave();
    await expect.poll(status, PATIENTLY).toBe("ok");
    await control.config("SET", "save", "");
  };
}

async function runScript({ control }: RedisServer): ReturnType<Fault> {
  await control.config("SET", "busy-reply-threshold", 20);
  const other = control.duplicate();
  const running = other.eval("while true do end", 0).catch((error: unknown) => String(error));
  await expect.poll(() => control.ping().catch(String), PATIENTLY).toContain("BUSY");
  return async () => {
    await control.script("KILL");
    expect(await running).toContain("killed");
    other.disconnect();
    // Any script is longer than that on a busy machine.
    await control.config("SET", "busy-reply-threshold", 5000);
  };
}

async function revoke(server: RedisServer): ReturnType<Fault> {
  await server.control.call("ACL", "SETUSER", "gateway", "-xadd");
  return () => server.control.call("ACL", "SETUSER", "gateway", "+xadd");
}

async function followNobody({ control }: RedisServer): ReturnType<Fault> {
  // Nobody listens there.
  await control.call("REPLICAOF", "127.0.0.1", 1);
  return () => control.call("REPLICAOF", "NO", "ONE");
}

describe("messages wait, and reach everybody once and in one order, while Redis answers", () => {
  let server: RedisServer;
  let here: TestGateway;
  let there: TestGateway;

  beforeAll(async () => {
    server = await startRedis({ arguments: ["--enable-protected-configs", "yes"] });
    await addUser(server, rights(SERVER_COMMANDS));
    const environment = { REDIS_URL: asUser(server.url) };
    here = await startGateway(environment);
    there = await startGateway({ ...environment, HTTP_API_URL: here.api.url });
  });
  afterAll(async () => {
    for (const resource of [there, here, server]) await resource[Symbol.asyncDispose]();
  });

  test.each<[kind: string, fault: Fault, reason?: string]>([
    ["NOREPLICAS", missReplicas],
    ["OOM", runOutOfMemory],
    ["MISCONF", failToSave],
    ["BUSY", runScript],
    ["NOPERM", revoke, "can't run this command"],
    ["READONLY", followNobody],
  ])("%s", async (kind, fault, reason = kind) => {
    await expectDelivery([here, there], reason, () => fault(server));
  });

  test("READONLY, and takes over the memory of another server", async () => {
    await using master = await startRedis();
    await expectDelivery([here, there], "READONLY", async () => {
      await server.control.call("REPLICAOF", "127.0.0.1", master.port);
      await expect.poll(() => server.control.info("replication"), PATIENTLY).toContain("master_link_status:up");
      return () => server.control.call("REPLICAOF", "NO", "ONE");
    });
  });
});

test("messages wait while a cluster answers CLUSTERDOWN, and reach everybody in one order", async () => {
  // Nothing but the test brings it down.
  await using cluster = await startRedisCluster({ argumentsOf: () => ["--cluster-node-timeout", "10000"] });
  const [first] = cluster.nodes;
  const environment = { REDIS_URL: cluster.url };
  await using here = await startGateway(environment);
  await using there = await startGateway({ ...environment, HTTP_API_URL: here.api.url });
  await expectDelivery([here, there], "cluster is down", async () => {
    for (const { control } of cluster.nodes) {
      await control.config("SET", "cluster-require-full-coverage", "yes");
    }
    // Nobody has slot 0, in which no chat is. A node may learn once more of its owner from a message that was under way.
    for (const { control } of cluster.nodes) {
      const state = async (): Promise<unknown> => {
        await control.call("CLUSTER", "DELSLOTS", 0).catch(() => undefined);
        return control.call("CLUSTER", "INFO");
      };
      await expect.poll(state, PATIENTLY).toContain("cluster_state:fail");
    }
    const accepting = new AbortController();
    const keepDown = async (): Promise<void> => {
      for (; !accepting.signal.aborted; await turn()) {
        for (const { control } of cluster.nodes) await control.call("CLUSTER", "DELSLOTS", 0).catch(() => undefined);
      }
    };
    const kept = keepDown();
    return async () => {
      accepting.abort();
      await kept;
      const id = await nodeId(first);
      for (const { control } of cluster.nodes) await control.call("CLUSTER", "SETSLOT", 0, "NODE", id);
    };
  });
  expect(slotOf(chatTopic("0"))).not.toBe(0);
});

/** Both instances are sent messages while Redis refuses. */
async function expectDelivery(
  [here, there]: readonly [TestGateway, TestGateway],
  reason: string,
  refuse: () => ReturnType<Fault>,
): Promise<void> {
  const { chatId, tokens } = createChat(here.api, "Ann", "Ben", "Cleo");
  const [ann = "", ben = "", cleo = ""] = tokens;
  await using one = await join(here, ann, chatId);
  await using other = await join(there, ben, chatId);
  await using control = await join(there, cleo, chatId);
  const before = await sayUntil(one, "before", Promise.resolve(), 3);
  await expectSame([one, other, control], before);
  const logs = [here, there].map(({ logged }) => logged.length);
  const accept = await refuse();
  const isNotReady = Promise.all([answersReady(here, 503), answersReady(there, 503)]);
  const [annSaid, benSaid] = await Promise.all([
    sayUntil(one, "Ann", isNotReady),
    sayUntil(other, "Ben", isNotReady),
    isNotReady,
  ]);
  // Everybody was answered, and is served.
  await control.client.run(MeDocument);
  expect(control.contents).toEqual(before);
  await accept();
  await Promise.all([answersReady(here, 200), answersReady(there, 200)]);
  const after = await sayUntil(other, "after", Promise.resolve(), 3);
  await expectSame([one, other, control], before, annSaid, benSaid, after);
  for (const [index, { logged }] of [here, there].entries()) {
    const named = logged.slice(logs[index]).filter((line) => isWarning(line) && JSON.stringify(line).includes(reason));
    expect(named.map(({ msg }) => msg)).toHaveLength(1);
  }
}

function isWarning({ level }: Readonly<Record<string, unknown>>): boolean {
  return Number(level) >= 40;
}
