/** An announcement is held up on its way to Redis, and executed when the contrary has become true. */
import { expect, test } from "vitest";
import { USERS_TOPIC } from "../../src/chat/events/topics.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument, PresenceChangedDocument } from "../support/generated/graphql.ts";
import { startRedis } from "../support/redis.ts";
import { openRedisBus } from "./buses.ts";
import { createChat } from "./members.ts";

test("somebody who is announced to be offline while connected is announced to be online again", async () => {
  await using redis = await startRedis();
  const environment = { REDIS_URL: redis.url, REDIS_PREFIX: "late:" };
  await using here = await startGateway(environment);
  await using there = await startGateway({ ...environment, HTTP_API_URL: here.api.url });
  const { tokens } = createChat(here.api, "Ann", "Ben");
  const [annToken = "", benToken = ""] = tokens;
  await using ann = connect(here.wsUrl, annToken);
  await ann.run(MeDocument);
  await using ben = connect(there.wsUrl, benToken);
  await using heard = ben.subscribe(PresenceChangedDocument);
  const next = async () => (await heard.next()).presenceChanged;
  const { user } = await next();
  expect(user.name).toBe("Ann");

  await using slow = await openRedisBus(redis.url, "late:");
  await slow.publish(USERS_TOPIC, {
    type: "presence.changed",
    presence: { user: { id: user.id, name: "Ann" }, online: false, lastSeenAt: null },
  });
  expect(await next()).toMatchObject({ user, online: false });
  expect(await next()).toMatchObject({ user, online: true });
});
