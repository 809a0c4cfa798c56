/** Readers that are lost while they lag behind: what was never written to them, and what waits for them, is not taken for received. */
import { randomBytes } from "node:crypto";
import { createClient } from "graphql-ws";
import { expect, onTestFinished, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { contentOf } from "../sessions/scene.ts";
import { connect, type TestClient } from "../support/client.ts";
import type { TestGateway } from "../support/gateway.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { startInstances } from "../support/backplane.ts";
import { startRelay } from "../support/relay.ts";
import { MESSAGES, operationId, visit, type Visit } from "../support/returning-client.ts";
import { watchServerSockets } from "../support/server-sockets.ts";
import { numbered } from "../support/transcript.ts";

const [alice, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

const OF_TEAM = { query: MESSAGES, variables: { chatId: team } };
const BUDGET_BYTES = 16_384;
const ROOMY = { MAX_SEND_BUFFER: String(BUDGET_BYTES), MAX_MESSAGE_SIZE: "200000", MAX_PAYLOAD_SIZE: "1000000" };

/** No compression makes much less of it. */
const NOISE = randomBytes(75_000).toString("base64");

/** More than the operating system takes for a reader. */
const COUNT = 120;

const CONTENTS = numbered("a", 1, COUNT).map((word) => `${word} ${NOISE}`);

async function sendAll(client: TestClient, contents: readonly string[]): Promise<void> {
  for (const content of contents) await client.run(SendMessageDocument, { chatId: team, content });
}

/** The first words, which tell the messages apart. */
function words(payloads: readonly string[]): readonly string[] {
  return payloads.map((payload) => contentOf(payload).split(" ")[0] ?? "");
}

test("a client that is lost while it does not read gets everything since", async () => {
  await using instances = await startInstances(ROOMY);
  await using writer = connect(instances.other.wsUrl, bob.token);
  await using first = await visit(instances.one.wsUrl, alice.token);
  const before = first.socket.start(OF_TEAM, operationId("1"));
  await first.handled();
  first.socket.socket.pause();
  await sendAll(writer, CONTENTS);
  await first.drop();
  await using second = await visit(instances.other.wsUrl, alice.token);
  const after = second.socket.start(OF_TEAM, operationId("1"));
  await sendAll(writer, ["last"]);
  while (contentOf(await after.next()) !== "last");
  expect(before.all.length).toBeLessThan(COUNT);
  expect(words(after.all)).toEqual([...numbered("a", 1, COUNT), "last"]);
});

test("a client that a stopping gateway lets go while it lags is given the rest by the next one, and by the one after that", async () => {
  using servers = watchServerSockets();
  await using instances = await startInstances(ROOMY);
  await using writer = connect(instances.one.wsUrl, bob.token);
  const parts: string[][] = [];

  /** Does not read, until the gateway stops; what it then finds there is its part. */
  const lag = async (home: TestGateway, away: Visit, whileAway: () => Promise<void>): Promise<void> => {
    const results = away.socket.start(OF_TEAM, operationId("1"));
    if (parts.length === 0) await away.handled();
    away.socket.socket.pause();
    await whileAway();
    const server = servers.of(away.socket.transport);
    await expect.poll(() => server.writableLength).toBeGreaterThan(BUDGET_BYTES);
    const waiting = server.writableLength;
    const closing = home.close();
    // The close frame waits behind the rest.
    await expect.poll(() => server.writableLength).toBeGreaterThan(waiting);
    away.socket.socket.resume();
    expect(await away.closed).toBe(1012);
    parts.push([...words(results.all)]);
    await closing;
  };
  const homes: [TestGateway, TestGateway] = [await instances.start(), await instances.start()];
  await using first = await visit(homes[0].wsUrl, alice.token);
  // It lags behind live events first, and behind what it has missed then.
  await lag(homes[0], first, () => sendAll(writer, CONTENTS));
  await using second = await visit(homes[1].wsUrl, alice.token);
  await lag(homes[1], second, async () => undefined);
  await using third = await visit(instances.other.wsUrl, alice.token);
  const results = third.socket.start(OF_TEAM, operationId("1"));
  await sendAll(writer, ["last"]);
  while (contentOf(await results.next()) !== "last");
  parts.push([...words(results.all)]);
  expect(parts.every((part) => part.length < COUNT)).toBe(true);
  expect(parts.flat()).toEqual([...numbered("a", 1, COUNT), "last"]);
});

test("a client whose connection takes longer for what it has missed than the heartbeat waits gets all of it", async () => {
  await using instances = await startInstances({ HEARTBEAT_INTERVAL: "500" });
  await using relay = await startRelay(instances.one.wsUrl);
  await using writer = connect(instances.other.wsUrl, bob.token);
  const contents = numbered("a", 1, 200).map((word) => `${word} ${"m".repeat(5000)}`);
  const received: string[] = [];
  const client = createClient({
    url: relay.url,
    connectionParams: { token: alice.token },
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: async () => undefined,
  });
  onTestFinished(() => {
    client.terminate();
    void (async () => client.dispose())().catch(() => undefined);
  });
  const done = Promise.withResolvers<void>();
  client.subscribe<{ messageAdded: { content: string } }>(OF_TEAM, {
    next({ data }) {
      const [word = ""] = data?.messageAdded.content.split(" ") ?? [];
      // What was not confirmed before a cut comes again.
      if (!received.includes(word)) received.push(word);
      if (word === "last") done.resolve();
    },
    error: done.reject,
    complete: () => undefined,
  });
  for await (const _ of client.iterate({ query: "{ chats { id } }" }));
  relay.throttle(160_000);
  // Half of it live, half of it missed.
  await sendAll(writer, contents.slice(0, 100));
  relay.cut();
  await sendAll(writer, [...contents.slice(100), "last"]);
  await done.promise;
  expect(received).toEqual([...numbered("a", 1, 200), "last"]);
});
