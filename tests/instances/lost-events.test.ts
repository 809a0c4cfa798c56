/** Events that did not reach the channel, or could not wait any more: whoever listens notices, and gets them from elsewhere. */
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Bus, GapOutcome } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { addUser, asUser, rights, SERVER_COMMANDS } from "../support/redis-rights.ts";
import { startRedis } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { openRedisBus } from "./buses.ts";
import { answersReady, createChat, expectSame, join, PATIENTLY, type Member } from "./members.ts";

test("an event that is in the log and was not published is noticed by the next one", async () => {
  await using redis = await startRedis();
  await addUser(redis, rights(SERVER_COMMANDS));
  await using muted = await startGateway({ REDIS_URL: asUser(redis.url) });
  const environment = { REDIS_URL: redis.url, HTTP_API_URL: muted.api.url };
  await using here = await startGateway(environment);
  await using there = await startGateway(environment);
  const { chatId, tokens } = createChat(muted.api, "Ann", "Ben", "Cleo");
  const [ann = "", ben = "", cleo = ""] = tokens;
  await using sender = await join(muted, ann, chatId);
  await using other = await join(here, ben, chatId);
  await using third = await join(there, cleo, chatId);
  const length = (): Promise<number> => redis.control.xlen(`chat:log:{${chatTopic(chatId)}}`);
  await sender.say("1");
  await expectSame([sender, other, third], ["1"]);
  // The script writes to the log, and may not publish.
  await redis.control.call("ACL", "SETUSER", "gateway", "resetchannels");
  await sender.say("2");
  await sender.say("3");
  await expect.poll(length, PATIENTLY).toBe(3);
  expect([other.contents, third.contents]).toEqual([["1"], ["1"]]);
  await other.say("4");
  await expectSame([other, third], ["1", "2", "3"], ["4"]);
  await redis.control.call("ACL", "SETUSER", "gateway", "&chat:*");
  await answersReady(muted, 200);
  await third.say("5");
  await expectSame([sender, other, third], ["1", "2", "3"], ["4", "5"]);
});

/** Events that wait at most. */
const MAX_QUEUED = 10_000;

/** Two gateways, of which only the first is away from Redis while somebody sends; members of three chats on each. */
interface Crowd extends AsyncDisposable {
  readonly bus: Bus<BusEvent>;
  readonly members: (chat: number) => readonly [Member, Member];
  /** Leaves no room for another event. */
  fill(): void;
}

async function gather(urls: readonly [string, string], environment: Record<string, string> = {}): Promise<Crowd> {
  await using stack = new AsyncDisposableStack();
  const log = pino({ level: "silent" });
  const gateways: TestGateway[] = [];
  const buses: Bus<BusEvent>[] = [];
  for (const url of urls) {
    const bus = stack.use(await openRedisBus(url));
    const api = gateways[0] && { HTTP_API_URL: gateways[0].api.url };
    gateways.push(stack.use(await startGateway({ ...environment, ...api }, { bus, log })));
    buses.push(bus);
  }
  const [home, away] = gateways as [TestGateway, TestGateway];
  const [bus] = buses as [Bus<BusEvent>];
  const chats: (readonly [Member, Member])[] = [];
  for (const name of ["full", "other", "later"]) {
    const { chatId, tokens } = createChat(home.api, `${name} 1`, `${name} 2`);
    const [one = "", two = ""] = tokens;
    chats.push([stack.use(await join(home, one, chatId)), stack.use(await join(away, two, chatId))]);
  }
  const owned = stack.move();
  return {
    bus,
    members: (chat) => chats[chat] as readonly [Member, Member],
    fill() {
      const at = new Date().toISOString();
      const sender = { id: "nobody", name: "Nobody" };
      for (let n = bus.statistics.queued; n < MAX_QUEUED; n++) {
        const message = { id: `filler ${n}`, chatId: "filler", sender, content: "", createdAt: at, readAt: null };
        const event: BusEvent = {
          type: "message.created",
          chatId: "filler",
          message: { ...message, clientMessageId: null },
        };
        void bus.publish(chatTopic("filler"), event);
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function sayAll(member: Member, contents: readonly string[]): Promise<void> {
  for (const content of contents) await member.say(content);
}

test.each(["of one instance", "of all"])(
  "what could not wait any more while the connection %s was lost is recovered",
  async (whose) => {
    await using redis = await startRedis();
    await using relay = await startRelay(redis.url);
    await using crowd = await gather([relay.url, redis.url]);
    const { bus, members } = crowd;
    const [full, other, later] = [members(0), members(1), members(2)];
    await sayAll(full[0], ["x1"]);
    await expectSame(full, ["x1"]);
    if (whose === "of all") await redis.kill();
    relay.freeze();
    relay.cut();
    await expect.poll(() => bus.isConnected, PATIENTLY).toBe(false);
    await sayAll(full[0], ["x2", "x3"]);
    await sayAll(other[0], ["y1", "y2"]);
    crowd.fill();
    await sayAll(full[0], ["x4", "x5"]);
    expect(bus.statistics).toMatchObject({ queued: MAX_QUEUED, dropped: 2 });
    expect(full.map(({ contents }) => contents)).toEqual([["x1"], ["x1"]]);
    relay.cut();
    relay.thaw();
    if (whose === "of all") await redis.restart();
    await expect.poll(() => bus.statistics.queued, PATIENTLY).toBe(0);
    await sayAll(full[1], ["x6"]);
    await sayAll(other[1], ["y3"]);
    await sayAll(later[0], ["z1"]);
    // A Redis that comes back empty does not know which of them waited.
    const said = whose === "of all" ? [["x1"], ["x2", "x3"], ["x4", "x5"]] : [["x1", "x2", "x3", "x4", "x5"]];
    await expectSame(full, ...said, ["x6"]);
    await expectSame(other, ["y1", "y2"], ["y3"]);
    await expectSame(later, ["z1"]);
  },
);

test("what could not wait and cannot be recovered ends the subscriptions of its chat alone", async () => {
  await using redis = await startRedis();
  await using relay = await startRelay(redis.url);
  await using crowd = await gather([relay.url, redis.url], { REPLAY_LIMIT: "2" });
  const { bus, members } = crowd;
  const [full, other] = [members(0), members(1)];
  relay.freeze();
  relay.cut();
  await expect.poll(() => bus.isConnected, PATIENTLY).toBe(false);
  await sayAll(other[0], ["y1"]);
  crowd.fill();
  await sayAll(full[0], ["x1", "x2", "x3"]);
  relay.cut();
  relay.thaw();
  for (const member of full) await expect.poll(() => member.end, PATIENTLY).toContain("CURSOR_EXPIRED");
  await sayAll(other[1], ["y2"]);
  await expectSame(other, ["y1"], ["y2"]);
  // A gap has one outcome.
  expect(["expired", "history"].map((outcome) => bus.gaps.get(outcome as GapOutcome))).toEqual([1, 0]);
});
