/** Gateways that are one: real processes on a real Redis, behind a real load balancer without stickiness. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import { LONG_DEADLINES } from "./deadlines.ts";
import { EVENTS_SECRET } from "./events.ts";
import { runProcess, type RunningProcess } from "./gateway-program.ts";
import { startHaproxy, type Haproxy } from "./haproxy.ts";
import { startRedis, type RedisServer } from "./redis.ts";
import { startRelay, type Relay } from "./relay.ts";

/** Nothing that a test would have to wait for. */
const QUICK = {
  PORT: "0",
  HOST: "127.0.0.1",
  DRAIN_WINDOW: "0",
  RATE_LIMIT_MESSAGES: "100000/1s",
  RATE_LIMIT_OPERATIONS: "100000/1s",
  MAX_CONNECTIONS_PER_USER: "100000",
  CONNECTION_INIT_TIMEOUT: LONG_DEADLINES.CONNECTION_INIT_TIMEOUT,
  REQUEST_TIMEOUT: LONG_DEADLINES.REQUEST_TIMEOUT,
  HTTP_API_TIMEOUT: LONG_DEADLINES.HTTP_API_TIMEOUT,
  // An instance that a busy machine keeps waiting for some seconds is not dead.
  PRESENCE_TTL: "10000",
  PRESENCE_GRACE: "300",
  EVENTS_SECRET,
  // What starts again and again is compiled once.
  NODE_COMPILE_CACHE: join(tmpdir(), "graphql-chat-gateway-compiled"),
};

/** One of the gateways. Its address stays the same, whichever process is there. */
export interface Instance {
  readonly url: string;
  readonly wsUrl: string;
  readonly process: RunningProcess;
  /** Cuts its clients' connections, which it survives. */
  cut(): void;
  /** Resolves when the process is gone. */
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts another process in the place of one that has been stopped. Resolves when it listens. */
  restart(): Promise<void>;
  /** Resolves when `/ready` is answered so. */
  answersReady(status: 200 | 503): Promise<void>;
}

export interface Instances extends AsyncDisposable {
  readonly api: DevApi;
  readonly redis: RedisServer;
  readonly balancer: Haproxy;
  readonly all: readonly [Instance, Instance, Instance];
  /** The way of the last instance to Redis. The others have their own. */
  readonly wayToRedis: Relay;
  /** The load balancer's address: whoever comes is given to the next instance in turn. */
  readonly wsUrl: string;
  /** Resolves when every instance answers `/ready` so. */
  answerReady(status: 200 | 503): Promise<void>;
}

export interface InstancesOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether Redis is killed before the first gateway starts. */
  readonly withoutRedis?: boolean;
}

/** Starts three instances. Resolves when they are ready, or listen where there is no Redis. Whoever calls it disposes of them. */
export async function startInstances({
  environment = {},
  withoutRedis = false,
}: InstancesOptions = {}): Promise<Instances> {
  await using starting = new AsyncDisposableStack();
  const api = starting.use(await startDevApi({ file: ":memory:" }));
  const redis = starting.use(await startRedis());
  if (withoutRedis) await redis.kill();
  const wayToRedis = starting.use(await startRelay(redis.url));
  const start = async (redisUrl: string): Promise<Instance> =>
    starting.use(await startInstance({ ...QUICK, HTTP_API_URL: api.url, REDIS_URL: redisUrl, ...environment }));
  const all = await Promise.all([start(redis.url), start(redis.url), start(wayToRedis.url)] as const);
  const answerReady = async (status: 200 | 503): Promise<void> => {
    await Promise.all(all.map((instance) => instance.answersReady(status)));
  };
  if (!withoutRedis) await answerReady(200);
  const balancer = starting.use(await startHaproxy(all.map(({ url }) => Number(new URL(url).port))));
  const running = starting.move();
  return {
    api,
    redis,
    balancer,
    all,
    wayToRedis,
    wsUrl: `ws://127.0.0.1:${balancer.port}/graphql`,
    answerReady,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function startInstance(env: Readonly<Record<string, string>>): Promise<Instance & AsyncDisposable> {
  let process = await runProcess({ env });
  const relay = await startRelay(await process.url());
  return {
    url: relay.url,
    wsUrl: relay.url.replace(/^http/, "ws"),
    get process() {
      return process;
    },
    cut: () => relay.cut(),
    async stop(signal) {
      process.send(signal);
      await process.exited;
    },
    async restart() {
      process = await runProcess({ env });
      relay.redirect(Number(new URL(await process.url()).port));
    },
    answersReady: (status) => answersReady(relay, status),
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
    },
  };
}

async function answersReady({ url }: Relay, wanted: number): Promise<void> {
  const address = new URL("/ready", url);
  for (;;) {
    const answer = await fetch(address).catch(() => undefined);
    await answer?.text();
    if (answer?.status === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
