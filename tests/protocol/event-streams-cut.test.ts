/** Stock graphql-sse clients on several instances: what they miss while they are cut off, they get, whichever instance they come to. */
import { createClient } from "graphql-sse";
import { print } from "graphql";
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { startGateway } from "../support/gateway.ts";
import { MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import type { MessageAddedSubscription } from "../support/generated/graphql.ts";
import { openEventStream, codesOf } from "../support/http.ts";
import { startRedis } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { overHttp } from "../support/runner.ts";
import { Transcript } from "../support/transcript.ts";

const [alice, bob, carol] = DEMO_USERS;
const { team } = DEMO_CHATS;

const PATIENTLY = { timeout: 30_000, interval: 10 };

interface Reader extends AsyncDisposable {
  readonly transcript: Transcript;
  readonly connections: number;
}

/** Names the cursor of the last message that it got whenever it comes back, as an app does. */
function read(url: string, token: string): Reader {
  const transcript = new Transcript();
  let [connections, cursor]: [number, string | undefined] = [0, undefined];
  const client = createClient({
    url,
    headers: () => ({
      authorization: `Bearer ${token}`,
      ...(cursor === undefined ? {} : { "last-event-id": cursor }),
    }),
    retryAttempts: Infinity,
    retry: () => new Promise((resolve) => setImmediate(resolve)),
    on: { connected: () => void connections++ },
  });
  client.subscribe<MessageAddedSubscription>(
    { query: print(MessageAddedDocument), variables: { chatId: team } },
    {
      next({ data }) {
        cursor = data?.messageAdded.cursor;
        transcript.add(data?.messageAdded.content ?? "");
      },
      error: (error) => transcript.end(error),
      complete: () => transcript.end(undefined),
    },
  );
  return {
    transcript,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: async () => client.dispose(),
  };
}

async function send(url: string, content: string): Promise<void> {
  await overHttp(url, bob.token).run(SendMessageDocument, { chatId: team, content });
}

test("a client cut off again and again gets each message once, in order, from either instance", async () => {
  await using redis = await startRedis();
  await using one = await startGateway({ REDIS_URL: redis.url });
  await using other = await startGateway({ REDIS_URL: redis.url, HTTP_API_URL: one.api.url });
  await using relay = await startRelay(one.url);
  await using reader = read(relay.url, alice.token);
  await using control = read(other.url, carol.token);
  await expect.poll(() => [reader.connections, control.connections], PATIENTLY).toEqual([1, 1]);
  const sent: string[] = [];
  const say = async (): Promise<void> => {
    sent.push(String(sent.length));
    await send(one.url, sent.at(-1) ?? "");
  };
  // Where it begins is known once it has got something.
  await say();
  await reader.transcript.has("0");
  for (let round = 1; round <= 6; round++) {
    await say();
    relay.redirect(Number(new URL((round % 2 === 0 ? one : other).url).port));
    relay.cut();
    await say();
    await say();
    await expect.poll(() => reader.connections, PATIENTLY).toBeGreaterThan(round);
  }
  await say();
  const last = sent.at(-1) ?? "";
  await Promise.all([reader, control].map(({ transcript }) => transcript.has(last)));
  expect([reader.transcript.all, control.transcript.all, control.connections]).toEqual([sent, sent, 1]);
});

test("a Last-Event-ID from before more than can be given ends the stream with CURSOR_EXPIRED", async () => {
  await using gateway = await startGateway({ REPLAY_LIMIT: "2" });
  const { sendMessage } = await overHttp(gateway.url, bob.token).run(SendMessageDocument, {
    chatId: team,
    content: "0",
  });
  for (const content of ["1", "2", "3"]) await send(gateway.url, content);
  const operation = { query: "subscription { messageAdded { content } }" };
  await using late = await openEventStream(gateway.url, operation, alice.token, {
    "last-event-id": sendMessage.cursor,
  });
  expect(codesOf((await late.next()).errors)).toEqual(["CURSOR_EXPIRED"]);
  await late.completed();
});
