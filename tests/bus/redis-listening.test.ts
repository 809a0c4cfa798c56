/** Listening begins while Redis cannot read the log. */
import { expect, test } from "vitest";
import { addUser, asUser, rights, SERVER_COMMANDS } from "../support/redis-rights.ts";
import { startRedis } from "../support/redis.ts";
import { family, PATIENTLY, record } from "./redis-scene.ts";

test("what is published after a subscription that could not read the log is delivered, in order", async () => {
  await using server = await startRedis();
  await addUser(server, rights(SERVER_COMMANDS.filter((name) => name !== "xrange")));
  const open = family(server.url, { prefix: "chat:" });
  await using elsewhere = await open();
  await using here = await open({ url: asUser(server.url) });
  const history = await record(here);
  for (const n of [1, 2, 3]) await elsewhere.publish("topic", { n });
  expect(history.numbers).toEqual([]);
  await addUser(server, rights(SERVER_COMMANDS));
  await elsewhere.publish("topic", { n: 4 });
  await expect.poll(() => history.numbers, PATIENTLY).toEqual([1, 2, 3, 4]);
});
