/** A Redis that takes connections and refuses what is asked over them: the refusal is the reason of the outage. */
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createRedisClients } from "../../src/bus/redis/connection/clients.ts";
import { parseRedisAddress } from "../../src/config/redis-address.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { addUser, asUser, NODE_COMMANDS, rights, SERVER_COMMANDS } from "../support/redis-rights.ts";
import { startRedis } from "../support/redis.ts";
import { startLoneSentinel } from "../support/sentinel.ts";
import { connected, family, opener, PATIENTLY } from "./redis-scene.ts";

/** Opens a bus whose connection Redis refuses. Resolves to the reasons that it reports, as soon as there is one. */
async function reasonsAt(url: string): Promise<string[]> {
  const reasons: string[] = [];
  const note = (error: unknown): void => {
    // Where nothing is known yet when the start has waited for long enough, or only what follows from the reason, the reason follows.
    if (error instanceof Error && !error.message.endsWith("Connection is closed.")) reasons.push(String(error));
  };
  await using bus = await opener(url, { prefix: "chat:", onOutage: note, onRefused: note })();
  await expect.poll(() => reasons.length, PATIENTLY).toBeGreaterThan(0);
  expect(bus.isConnected).toBe(false);
  return reasons;
}

describe("the reason of an outage, once, is", () => {
  test.each([
    ["a command", rights(SERVER_COMMANDS.filter((name) => name !== "evalsha")), "NOPERM"],
    ["a script's command", rights(SERVER_COMMANDS.filter((name) => name !== "set")), "can't run this command"],
    ["a subscription", rights(SERVER_COMMANDS.filter((name) => name !== "subscribe")), "NOPERM"],
    ["a key", rights(SERVER_COMMANDS, "other:"), "one of the keys"],
    ["a channel", [...rights(SERVER_COMMANDS), "resetchannels"], "channel"],
    ["everything", [...rights(SERVER_COMMANDS), "off"], "WRONGPASS"],
  ])("that the user is refused %s", async (_, rules, refusal) => {
    await using server = await startRedis();
    await addUser(server, rules);
    expect(await reasonsAt(asUser(server.url))).toEqual([expect.stringContaining(refusal)]);
  });

  test("that a password is needed", async () => {
    await using server = await startRedis({ password: "s3cret" });
    const reasons = await reasonsAt(server.url.replace(":s3cret@", ""));
    expect(reasons).toEqual([expect.stringContaining("NOAUTH")]);
  });

  test("that the server is a replica", async () => {
    await using master = await startRedis();
    await using replica = await startRedis({ replicaOf: master.port });
    await expect.poll(() => replica.control.info("replication"), PATIENTLY).toContain("master_link_status:up");
    expect(await reasonsAt(replica.url)).toEqual([expect.stringContaining("READONLY")]);
  });

  test("that the server is a node of a cluster, and was not said to be", async () => {
    await using cluster = await startRedisCluster();
    const reasons = await reasonsAt(cluster.nodes[0].url);
    expect(reasons).toEqual([expect.stringMatching(/MOVED|non local key|CROSSSLOT/)]);
  });

  test.each([
    ["cluster|slots", "NOPERM"],
    ["evalsha", "NOPERM"],
  ])("that a cluster's nodes refuse %s", async (command, refusal) => {
    await using cluster = await startRedisCluster();
    for (const node of cluster.nodes) await addUser(node, rights(NODE_COMMANDS.filter((name) => name !== command)));
    expect(await reasonsAt(asUser(cluster.url))).toEqual([expect.stringContaining(refusal)]);
  });

  test("that a cluster's certificate is not trusted", async () => {
    await using cluster = await startRedisCluster({ tls: true });
    expect(await reasonsAt(cluster.url)).toEqual([expect.stringMatching(/self.signed/)]);
  });

  test("that a sentinel's certificate is not trusted", async () => {
    await using master = await startRedis({ tls: true });
    await using sentinel = await startLoneSentinel(master, { tls: true });
    expect(await reasonsAt(sentinel.url)).toEqual([expect.stringMatching(/self.signed/)]);
  });

  test.each(["redis://", "redis+cluster://", "redis+sentinel://"])("that no host of %s resolves", async (scheme) => {
    expect(await reasonsAt(`${scheme}nowhere.invalid`)).toEqual([expect.stringMatching(/ENOTFOUND|EAI_AGAIN/)]);
  });
});

test("connections that are closed during the handshake, while they refuse the certificate, end no process", async () => {
  await using server = await startRedis({ tls: true });
  const address = parseRedisAddress(server.url);
  const errors: Error[] = [];
  // However many turns the handshake takes, some are closed in the middle of it.
  for (let turns = 0; turns < 400; turns++) {
    const { commands } = createRedisClients(address, { onError: (error) => void errors.push(error) });
    commands.connect().catch((error: unknown) => errors.push(error as Error));
    for (let turn = 0; turn < turns % 40; turn++) await setImmediate();
    commands.disconnect();
  }
  expect(errors.map(String)).toContainEqual(expect.stringMatching(/self.signed/));
  // The server has let all of them go.
  await expect.poll(async () => (await server.control.call("CLIENT", "LIST")) as string, PATIENTLY).toMatch(/^.+\n$/);
});

test("a refusal that comes only after the connection was lost is passed on, once", async () => {
  await using server = await startRedis();
  await addUser(server, rights(SERVER_COMMANDS));
  const events: string[] = [];
  await using bus = await family(asUser(server.url), {
    prefix: "chat:",
    onOutage: (error) => void events.push(String(error)),
    onReturn: () => void events.push("connected"),
  })();
  // Its connections end with it.
  await server.control.call("ACL", "DELUSER", "gateway");
  await connected(bus, false);
  await expect.poll(() => events.join(), PATIENTLY).toContain("WRONGPASS");
  await addUser(server, rights(SERVER_COMMANDS));
  await connected(bus);
  expect(events.filter((event) => event.includes("WRONGPASS"))).toHaveLength(1);
  expect(events.at(-1)).toBe("connected");
});

test("the gateway's log has the refusal once, and no password", async () => {
  const wrong = "wrong-but-still-a-secret";
  await using server = await startRedis({ password: "the-right-one" });
  const url = server.url.replace("the-right-one", wrong);
  await using gateway = await startDiscreetGateway({ REDIS_URL: url }, { secrets: [wrong], startPatienceMs: 1 });
  const refused = (): unknown => gateway.logged.filter((line) => JSON.stringify(line).includes("WRONGPASS"));
  await expect.poll(refused).toMatchObject([{ level: 40, msg: "Redis, or a node of it, is disconnected" }]);
});
