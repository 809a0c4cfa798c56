/** What sentinels are asked, with which password, and what follows from what they announce. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { startRedis } from "../support/redis.ts";
import { startLoneSentinel, startSentinels } from "../support/sentinel.ts";
import { connected, family, numbers, opener, PATIENTLY, record } from "./redis-scene.ts";

/** Puts userinfo into an address, and parameters at its end. */
function withCredentials(url: string, userinfo: string, parameters = ""): string {
  return url.replace("://", `://${userinfo}@`) + parameters;
}

const ACL_USER = "on >s3cret ~* &* +@all";

describe("a master behind sentinels is reached", () => {
  test.each([
    ["both have the password", "s3cret", "s3cret", ":s3cret", ""],
    ["the master alone has one", "s3cret", undefined, ":s3cret", ""],
    ["each has its own", "s3cret", "an0ther", ":s3cret", "&sentinelPassword=an0ther"],
  ])("where %s", async (_, password, sentinelPassword, userinfo, parameters) => {
    const warnings = vi.spyOn(console, "warn");
    onTestFinished(() => warnings.mockRestore());
    await using server = await startRedis({ password });
    await using sentinel = await startLoneSentinel(
      server,
      sentinelPassword === undefined ? {} : { password: sentinelPassword },
    );
    await using bus = await family(withCredentials(sentinel.url, userinfo, parameters))();
    await connected(bus);
    // The library writes to the console where a password was said to one who has none.
    expect(warnings).not.toHaveBeenCalled();
  });

  test.each([
    ["both know the user", [`user gateway ${ACL_USER}`, "user default off"], ""],
    ["the master alone knows the user", [], ""],
    ["each knows its own user", ["user watch on >w4tch ~* &* +@all", "user default off"], "watch"],
  ])("where %s", async (_, users, sentinelUsername) => {
    await using server = await startRedis({ password: "0ther" });
    await server.control.call("ACL", "SETUSER", "gateway", ...ACL_USER.split(" "));
    await using sentinel = await startLoneSentinel(server, { users });
    const parameters = sentinelUsername === "" ? "" : `&sentinelUsername=${sentinelUsername}&sentinelPassword=w4tch`;
    await using bus = await family(withCredentials(sentinel.url, "gateway:s3cret", parameters))();
    expect(bus.isConnected).toBe(true);
  });

  test("and with the sentinel's password alone, where the master has none", async () => {
    await using server = await startRedis();
    await using sentinel = await startLoneSentinel(server, { password: "an0ther" });
    await using bus = await family(`${sentinel.url}&sentinelPassword=an0ther`)();
    expect(bus.isConnected).toBe(true);
  });
});

test("a sentinel that is down is passed over, without a word on the console", async () => {
  const noise = vi.spyOn(console, "error");
  onTestFinished(() => noise.mockRestore());
  await using server = await startRedis();
  await using sentinel = await startLoneSentinel(server);
  // Nobody listens at port 1.
  await using bus = await family(sentinel.url.replace("://", "://127.0.0.1:1,"))();
  await connected(bus);
  expect(noise).not.toHaveBeenCalled();
});

test.each([
  ["a password that a sentinel refuses", "name=chat&sentinelPassword=guess", "WRONGPASS"],
  ["a sentinel's password that is not given", "name=chat", "NOAUTH"],
  ["a master that no sentinel knows", "name=other&sentinelPassword=s3cret", "No such master"],
])("%s is the reason of the outage", async (_, query, reason) => {
  await using server = await startRedis();
  await using sentinel = await startLoneSentinel(server, { password: "s3cret" });
  const errors: unknown[] = [];
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/0?${query}`;
  await using bus = await opener(url)({ onOutage: (error) => void errors.push(error) });
  // Where nothing is known yet when the start has waited for long enough, the reason follows.
  const reasons = (): readonly string[] => errors.filter((error) => error !== undefined).map(String);
  await expect.poll(reasons, PATIENTLY).toEqual([expect.stringContaining(reason)]);
  expect(bus.isConnected).toBe(false);
});

describe("a failover that sentinels announce", () => {
  // The former master cannot be made a replica, nor cut its clients off: that there is another one is known by announcement alone.
  const STUBBORN = ["SLAVEOF", "REPLICAOF"].flatMap((command) => ["--rename-command", command, ""]);

  test("is followed at once, while the former master still serves", async () => {
    const noise = vi.spyOn(console, "error");
    onTestFinished(() => noise.mockRestore());
    await using sentinels = await startSentinels({ masterArguments: STUBBORN });
    const [former, successor] = sentinels.servers;
    const open = family(sentinels.url);
    const errors: unknown[] = [];
    await using one = await open({ onOutage: (error) => void errors.push(error) });
    await using other = await open();
    await connected(one);
    await connected(other);
    const histories = [await record(one), await record(other)];
    await one.publish("topic", { n: 0 });
    await sentinels.failover();
    await sentinels.named(successor);
    const listeners = async (server: typeof former): Promise<unknown> =>
      String(await server.control.call("PUBSUB", "CHANNELS", "*events:{topic}"));
    await expect.poll(() => listeners(former), PATIENTLY).toBe("");
    await expect.poll(() => listeners(successor), PATIENTLY).toContain("events:{topic}");
    expect(await former.control.info("replication")).toContain("role:master");
    await connected(one);
    await connected(other);
    for (const n of numbers(10, 1)) await one.publish("topic", { n });
    for (const { numbers: given } of histories) await expect.poll(() => given, PATIENTLY).toEqual(numbers(11));
    const reason: unknown = expect.stringContaining(`another master: 127.0.0.1:${successor.port}`);
    // A starved machine may find a server silent besides.
    expect(errors.map(String)).toContainEqual(reason);
    expect(noise).not.toHaveBeenCalled();
  });

  test("of another master that the same sentinel watches is not followed", async () => {
    await using master = await startRedis();
    await using replica = await startRedis({ replicaOf: master.port });
    await using another = await startRedis();
    await using replicaOfAnother = await startRedis({ replicaOf: another.port });
    for (const { control } of [replica, replicaOfAnother]) {
      await expect.poll(() => control.info("replication"), PATIENTLY).toContain("master_link_status:up");
    }
    await using sentinel = await startLoneSentinel(master, { also: { name: "another", port: another.port } });
    const errors: unknown[] = [];
    await using bus = await family(sentinel.url)({ onOutage: (error) => void errors.push(error) });
    await connected(bus);
    await sentinel.failover("another");
    await sentinel.failover("chat");
    await connected(bus, false);
    await connected(bus);
    // A starved machine may find a server silent besides.
    const followed = errors.map(String).filter((error) => error.includes("another master"));
    expect(followed).toEqual([expect.stringContaining(`another master: 127.0.0.1:${replica.port}`)]);
  });
});

test("a bus that is closed leaves no connection to a sentinel", async () => {
  await using sentinels = await startSentinels();
  const before = await sentinels.listeners();
  const bus = await family(sentinels.url)();
  await connected(bus);
  await expect.poll(() => sentinels.listeners(), PATIENTLY).toBeGreaterThan(before);
  await bus.close();
  await expect.poll(() => sentinels.listeners(), PATIENTLY).toBe(before);
});
