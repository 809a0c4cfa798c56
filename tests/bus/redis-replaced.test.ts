/** Two servers that both take themselves for the master: who was cut off with the former one has missed what the other one was told. */
import { expect, test } from "vitest";
import { startRedis } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { connected, family, numbers, PATIENTLY, record } from "./redis-scene.ts";

test("after a split, both sides receive what the other side published", async () => {
  await using former = await startRedis();
  await using master = await startRedis({ replicaOf: former.port });
  await expect.poll(() => master.control.info("replication"), PATIENTLY).toContain("master_link_status:up");
  await using relay = await startRelay(former.url);
  const open = family(former.url, { prefix: "replaced:" });
  await using cutOff = await open({ url: relay.url });
  const here = await record(cutOff);
  await cutOff.publish("topic", { n: 0 });
  await expect.poll(() => here.numbers, PATIENTLY).toEqual([0]);
  await expect.poll(() => master.control.exists("replaced:id:{topic}:0"), PATIENTLY).toBe(1);
  // As a failover across a partition of the network.
  await master.control.replicaof("NO", "ONE");
  await using other = await open({ url: master.url });
  const there = await record(other);
  for (const n of numbers(10, 1)) await other.publish("topic", { n });
  await cutOff.publish("topic", { n: 11 });
  await expect.poll(() => here.numbers, PATIENTLY).toEqual([0, 11]);
  relay.redirect(master.port);
  relay.cut();
  await connected(cutOff, false);
  await connected(cutOff);
  await other.publish("topic", { n: 12 });
  await expect.poll(() => here.numbers, PATIENTLY).toContain(12);
  expect(here.numbers).toEqual([0, 11, ...numbers(10, 1), 12]);
  await expect.poll(() => there.numbers, PATIENTLY).toEqual([...numbers(10, 1), 11, 12]);
});
