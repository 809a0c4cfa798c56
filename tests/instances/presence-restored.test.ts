/** Redis has lost who is online, and an instance is late to write it again. */
import { expect, test } from "vitest";
import { connect, type TestClient } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatDocument, MeDocument, PresenceChangedDocument } from "../support/generated/graphql.ts";
import { heardFrom, startRedis, type RedisServer } from "../support/redis.ts";
import { startRelay, type Relay } from "../support/relay.ts";
import { answersReady, createChat } from "./members.ts";

interface Scene extends AsyncDisposable {
  readonly redis: RedisServer;
  /** The way of the late instance to Redis. */
  readonly relay: Relay;
  readonly here: TestGateway;
  readonly late: TestGateway;
  readonly chatId: string;
  /** Ben is connected to the instance that is in time. */
  readonly ben: TestClient;
  /** What Ben receives next: "Ann online". */
  next(): Promise<string>;
  /** Resolves when Cleo is connected to the late instance. */
  cleoComes(): Promise<void>;
}

/** Ann is connected to the instance that is going to be late, and Ben has received that. */
async function start(environment: Readonly<Record<string, string>>): Promise<Scene> {
  await using starting = new AsyncDisposableStack();
  const redis = starting.use(await startRedis());
  const relay = starting.use(await startRelay(redis.url));
  const here = starting.use(await startGateway({ ...environment, REDIS_URL: redis.url }));
  const late = starting.use(await startGateway({ ...environment, REDIS_URL: relay.url, HTTP_API_URL: here.api.url }));
  const { chatId, tokens } = createChat(here.api, "Ann", "Ben", "Cleo");
  const [annToken = "", benToken = "", cleoToken = ""] = tokens;
  const ann = starting.use(connect(late.wsUrl, annToken));
  await ann.run(MeDocument);
  const ben = starting.use(connect(here.wsUrl, benToken));
  const seen = starting.use(ben.subscribe(PresenceChangedDocument));
  const next = async (): Promise<string> => {
    const { user, online } = (await seen.next()).presenceChanged;
    return `${user.name} ${online ? "online" : "offline"}`;
  };
  expect(await next()).toBe("Ann online");
  const running = starting.move();
  return {
    redis,
    relay,
    here,
    late,
    chatId,
    ben,
    next,
    async cleoComes() {
      await running.use(connect(late.wsUrl, cleoToken)).run(MeDocument);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Redis loses its memory, and one of the instances does not reach it any more. */
async function lose({ redis, relay, here, late }: Scene): Promise<void> {
  await redis.kill();
  await Promise.all([here, late].map((gateway) => answersReady(gateway, 503)));
  relay.freeze();
  await redis.restart();
  await answersReady(here, 200);
}

async function comeBack({ relay, late }: Scene): Promise<void> {
  relay.cut();
  relay.thaw();
  await answersReady(late, 200);
}

test("users of an instance that is late to write them again are shown to who comes meanwhile", async () => {
  await using scene = await start({ PRESENCE_TTL: "5000" });
  // Each instance has noticed the other.
  await heardFrom(scene.redis, 8);
  await lose(scene);
  await using seen = scene.ben.subscribe(PresenceChangedDocument);
  // A question is answered after a while, whatever is known by then; the second one after the subscription has asked, too.
  for (let questions = 0; questions < 2; questions++) await scene.ben.run(ChatDocument, { id: scene.chatId });
  await comeBack(scene);
  expect((await seen.next()).presenceChanged).toMatchObject({ user: { name: "Ann" }, online: true });
  await scene.cleoComes();
  expect(await scene.next()).toBe("Cleo online");
});

test("users of an instance that nobody waits for any more are shown as online when it is back", async () => {
  // It has just started, and the other one's next heartbeat, which would notice that, is far away.
  await using scene = await start({ PRESENCE_TTL: "600000" });
  await lose(scene);
  expect(await scene.next()).toBe("Ann offline");
  await comeBack(scene);
  expect(await scene.next()).toBe("Ann online");
});
