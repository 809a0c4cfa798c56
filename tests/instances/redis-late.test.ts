/** Redis is away when the gateways start. */
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { MeDocument } from "../support/generated/graphql.ts";
import { History } from "../support/history.ts";
import { startInstances } from "../support/instances.ts";
import { gather } from "./scene.ts";

test("gateways start without Redis, are not ready, serve, and join when it comes", async () => {
  await using instances = await startInstances({ withoutRedis: true });
  await instances.answerReady(503);
  const { ann, ben, chatId } = gather(instances);
  const [one, two] = instances.all;
  await using client = connect(one.wsUrl, ann.token);
  expect((await client.run(MeDocument)).me.name).toBe("Ann");
  await using history = new History();
  await history.listen("Ben, elsewhere", two.wsUrl, ben.token, [chatId], { isLive: false });
  await history.listen("Ben, through the balancer", instances.wsUrl, ben.token, [chatId], { isLive: false });
  const talker = history.talker("Ann", one.wsUrl, ann.token, chatId);
  await talker.talkUntil(Promise.resolve(), 5);
  await instances.redis.restart();
  await instances.answerReady(200);
  await talker.talkUntil(Promise.resolve(), 5);
  await history.complete();
  expect(history.verdict()).toEqual([]);
});
