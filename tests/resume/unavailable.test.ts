/** Replays that fail for a while. */
import { expect, test } from "vitest";
import { chatTopic } from "../../src/chat/events/topics.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { createTestBus } from "../support/bus.ts";
import { createScene, OF_TEAM, send } from "../support/resume-scene.ts";
import { visit } from "../support/returning-client.ts";

const [alice] = DEMO_USERS;
const { team } = DEMO_CHATS;

test("a client whose replay failed since the REST API was unavailable continues where it was", async () => {
  const bus = createTestBus();
  const { log } = bus;
  // It has nothing of the chat, so that the history is read.
  const forgetful: typeof log = {
    position: (topics) => log.position(topics),
    read: async (topic, after, part) => (topic === chatTopic(team) ? undefined : log.read(topic, after, part)),
    tail: (topic) => log.tail(topic),
    positionsOf: (topic, ids) => log.positionsOf(topic, ids),
    delayAfter: (topic, after) => log.delayAfter(topic, after),
  };
  await using scene = await createScene({ HTTP_API_RETRIES: "1" }, { ...bus, log: forgetful });
  const { gateway, writer } = scene;
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1", OF_TEAM);
  await first.drop();
  await send(writer, ["a1"]);
  await using second = await visit(gateway.wsUrl, alice.token);
  gateway.api.faults.answer({ status: 503 }, { method: "GET", path: `/chats/${team}/messages` });
  const failed = await second.follow("1", OF_TEAM);
  expect(await failed.over()).toMatchObject([{ extensions: { code: "UPSTREAM_UNAVAILABLE" } }]);
  gateway.api.faults.clear();
  const again = await second.follow("1", OF_TEAM);
  await send(writer, ["a2"]);
  await again.has("a2");
  expect(again.all).toEqual(["a1", "a2"]);
});
