/** Redis holds still when somebody asks who is online. */
import { randomUUID } from "node:crypto";
import { print } from "graphql";
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument, PresenceChangedDocument } from "../support/generated/graphql.ts";
import { startRedis } from "../support/redis.ts";
import { comeTo, liveStates } from "./following.ts";
import { createChat, PATIENTLY } from "./members.ts";

test("who could not be read at the beginning is told when they can be", async () => {
  await using redis = await startRedis();
  const environment = { REDIS_URL: redis.url };
  await using here = await startGateway(environment);
  await using there = await startGateway({ ...environment, HTTP_API_URL: here.api.url });
  const [annToken = "", benToken = "", cleoToken = ""] = createChat(here.api, "Ann", "Ben", "Cleo").tokens;
  await using ann = connect(there.wsUrl, annToken);
  await ann.run(MeDocument);
  await using cleo = connect(here.wsUrl, cleoToken);
  // Somebody listens to the chat here already.
  await using seen = cleo.subscribe(PresenceChangedDocument);
  expect((await seen.next()).presenceChanged).toMatchObject({ user: { name: "Ann" }, online: true });
  await using ben = await comeTo(here.wsUrl, benToken);
  redis.pause();
  const id = randomUUID();
  const told = ben.socket.start({ query: print(PresenceChangedDocument) }, id);
  await expect.poll(() => liveStates(ben, id), PATIENTLY).toBe(1);
  // Cleo is connected here, and Ann to the other instance, which nobody can ask.
  const names = (): (string | undefined)[] => told.all.map((payload) => /"name":"(\w+)"/.exec(payload)?.[1]);
  expect(names()).toEqual(["Cleo"]);
  redis.resume();
  await expect.poll(names, PATIENTLY).toContain("Ann");
});
