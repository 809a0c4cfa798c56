/** An instance to which a client comes back just when its Redis is out of reach. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { send } from "../support/chatting.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { startRedis } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { MESSAGES, operationId, visit } from "../support/returning-client.ts";

const [alice, bob, carol] = DEMO_USERS;
const { team } = DEMO_CHATS;

test("a client that returns to another instance while Redis is down misses nothing", async () => {
  await using redis = await startRedis();
  await using relay = await startRelay(redis.url);
  await using home = await startGateway({ REDIS_URL: redis.url });
  await using away = await startGateway({ REDIS_URL: relay.url, HTTP_API_URL: home.api.url });
  await using writer = connect(home.wsUrl, bob.token);
  await using witness = await visit(away.wsUrl, carol.token);
  const seen = await witness.follow("1");
  await using first = await visit(home.wsUrl, alice.token);
  const had = await first.follow("1");
  await send(writer, team, "1");
  await had.has("1");
  await first.confirmed();
  await first.drop();
  await send(writer, team, "2");
  await seen.has("2");
  relay.freeze();
  relay.cut();
  await expect.poll(async () => (await fetch(new URL("/ready", away.url))).status).toBe(503);
  await using second = await visit(away.wsUrl, alice.token);
  const results = second.socket.start({ query: MESSAGES }, operationId("1"));
  // It is asked for by then: what is sent later is dealt with later.
  await second.handled();
  relay.thaw();
  await expect.poll(() => results.all.length).toBeGreaterThan(0);
  await send(writer, team, "3");
  await expect.poll(() => results.all.map((payload) => /"content":"(\d)"/.exec(payload)?.[1])).toEqual(["2", "3"]);
});
