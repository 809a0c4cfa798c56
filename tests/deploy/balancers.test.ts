import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONFIG_TABLE } from "../../src/config/config.ts";
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import { connect, type TestClient } from "../support/client.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { postOperation } from "../support/http.ts";
import { runProcess, type RunningProcess } from "../support/gateway-program.ts";
import { upgradeStatus } from "../support/raw-socket.ts";
import { startRedis, turn } from "../support/redis.ts";
import { openEventStream } from "../support/sse.ts";
import { configurationOf, startBalancer, type BalancerName } from "./balancers.ts";

const BALANCERS: readonly BalancerName[] = ["haproxy", "nginx"];
const SEND = "mutation ($chatId: ID!, $content: String!) { sendMessage(chatId: $chatId, content: $content) { id } }";

interface Pair extends AsyncDisposable {
  readonly api: DevApi;
  readonly ports: readonly [number, number];
  /** Stops one of the two, and starts it again at the same port. Resolves when it is ready. */
  restart(index: 0 | 1): Promise<void>;
}

/** Two gateways on one Redis. */
async function startPair(environment: Readonly<Record<string, string>> = {}): Promise<Pair> {
  await using starting = new AsyncDisposableStack();
  const api = starting.use(await startDevApi({ file: ":memory:" }));
  const redis = starting.use(await startRedis());
  const env = {
    HOST: "127.0.0.1",
    HTTP_API_URL: api.url,
    REDIS_URL: redis.url,
    RATE_LIMIT_MESSAGES: "100000/1s",
    RATE_LIMIT_OPERATIONS: "100000/1s",
    DRAIN_WINDOW: "0",
    ...environment,
  };
  const start = async (port: number): Promise<RunningProcess> => {
    const started = starting.use(await runProcess({ env: { ...env, PORT: String(port) } }));
    await ready(await started.url());
    return started;
  };
  const running: [RunningProcess, RunningProcess] = [await start(0), await start(0)];
  const ports = [await portOf(running[0]), await portOf(running[1])] as const;
  const pair = starting.move();
  return {
    api,
    ports,
    async restart(index) {
      running[index].send("SIGTERM");
      expect(await running[index].exited).toEqual({ code: 0, signal: null });
      running[index] = pair.use(await runProcess({ env: { ...env, PORT: String(ports[index]) } }));
      await ready(await running[index].url());
    },
    [Symbol.asyncDispose]: () => pair.disposeAsync(),
  };
}

async function portOf(process: RunningProcess): Promise<number> {
  return Number(new URL(await process.url()).port);
}

async function ready(url: string): Promise<void> {
  while ((await fetch(new URL("/ready", url))).status !== 200) await turn();
}

describe("in front of two gateways", () => {
  let pair: Pair;
  beforeAll(async () => (pair = await startPair()), 120_000);
  afterAll(() => pair[Symbol.asyncDispose]());

  test.each(BALANCERS)(
    "%s: clients subscribe over WebSocket and SSE, and send; a page of the same host may",
    async (name) => {
      await using balancer = await startBalancer(name, pair.ports);
      const [alice, bob] = pair.api.users;
      await using client = connect(balancer.wsUrl, alice?.token);
      await using received = client.subscribe(MessageAddedDocument);
      await client.run(ChatsDocument);
      await using stream = await openEventStream(balancer.url, bob?.token, MessageAddedDocument);
      // After the stream: its own REST calls are answered by then.
      const { errors } = await postOperation(
        balancer.url,
        { query: SEND, variables: { chatId: pair.api.demoChatId, content: "hello" } },
        bob?.token,
        { origin: new URL(balancer.url).origin },
      );
      expect(errors).toBeUndefined();
      expect((await received.next()).messageAdded.content).toBe("hello");
      expect(await stream.next()).toMatchObject({ data: { messageAdded: { content: "hello" } } });
      // Which is not among CORS_ORIGIN: allowed since Host has the port.
      expect(await upgradeStatus(balancer.url, { origin: new URL(balancer.url).origin })).toBe(101);
      expect(await upgradeStatus(balancer.url, { origin: "http://127.0.0.1:1" })).toBe(403);
    },
  );

  test.each(BALANCERS)("%s closes idle connections to the gateways, before a gateway does", async (name) => {
    const text = await configurationOf(name);
    const setting = /(?:timeout http-keep-alive|keepalive_timeout) (\d+)s/.exec(text)?.[1];
    const gatewayMs = Number(CONFIG_TABLE.find((variable) => variable.name === "KEEP_ALIVE_TIMEOUT")?.default);
    expect(Number(setting) * 1000).toBeLessThan(gatewayMs);
  });
});

/** A stock client that comes back, a moment after its connection was closed. */
function returning(wsUrl: string, token: string | undefined): TestClient {
  return connect(wsUrl, token, {
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  });
}

test(
  "restarted in turn behind haproxy under load, no message is missed and no mutation fails",
  { timeout: 180_000 },
  async () => {
    // Longer than haproxy takes to notice, which looks every second, twice.
    await using pair = await startPair({ DRAIN_WINDOW: "8000" });
    await using balancer = await startBalancer("haproxy", pair.ports);
    const { api } = pair;
    await using stack = new AsyncDisposableStack();
    const received: Set<string>[] = [];
    const failures: unknown[] = [];
    const answered: string[] = [];
    const over = new AbortController();

    const listeners = Array.from({ length: 6 }, (_, index) =>
      stack.use(returning(balancer.wsUrl, api.users[index % 3]?.token)),
    );
    for (const listener of listeners) {
      const contents = new Set<string>();
      received.push(contents);
      listener.client.subscribe<{ messageAdded: { content: string } }>(
        { query: "subscription { messageAdded { content } }" },
        {
          next: ({ data }) => void contents.add(data?.messageAdded.content ?? ""),
          error: (error) => failures.push(error),
          complete: () => undefined,
        },
      );
      await listener.run(ChatsDocument);
    }

    const variablesOf = (content: string) => ({ chatId: api.demoChatId, content });
    const overSocket = async (index: number): Promise<void> => {
      const client = stack.use(returning(balancer.wsUrl, api.users[index]?.token));
      for (let count = 0; !over.signal.aborted; count++) {
        const content = `socket ${index} ${count}`;
        await client.run(SendMessageDocument, variablesOf(content));
        answered.push(content);
      }
    };
    const overHttp = async (index: number): Promise<void> => {
      for (let count = 0; !over.signal.aborted; count++) {
        const content = `http ${index} ${count}`;
        const { errors } = await postOperation(
          balancer.url,
          { query: SEND, variables: variablesOf(content) },
          api.users[index]?.token,
        );
        if (errors) throw new Error(JSON.stringify(errors));
        answered.push(content);
      }
    };
    const talks = [0, 1, 2]
      .flatMap((index) => [overSocket(index), overHttp(index)])
      .map((talk) => talk.catch((error: unknown) => failures.push(error)));
    const more = async (): Promise<void> => {
      const wanted = answered.length + 60;
      while (answered.length < wanted && failures.length === 0) await turn();
    };

    await more();
    await pair.restart(0);
    await more();
    await pair.restart(1);
    await more();
    over.abort();
    await Promise.all(talks);
    expect(failures).toEqual([]);
    const wanted = answered.toSorted();
    for (const contents of received) {
      await expect.poll(() => wanted.filter((content) => !contents.has(content))).toEqual([]);
    }
    const stored = api.data.messages(api.demoChatId).map(({ content }) => content);
    expect(stored.filter((content) => /^(socket|http) /.test(content)).toSorted()).toEqual(wanted);
  },
);
