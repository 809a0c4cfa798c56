/** A real gateway on a real development API, on free ports, for as long as a test needs it. */
import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { inject } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import type { DevApi } from "../../src/dev/api.ts";
import { startDevApi } from "../../src/dev/api.ts";
import { createGateway, type Overrides } from "../../src/gateway.ts";
import { LONG_DEADLINES, LONG_MS } from "./deadlines.ts";

export interface TestGateway extends AsyncDisposable {
  /** The HTTP endpoint. */
  readonly url: string;
  readonly wsUrl: string;
  /** The admin listener, where ADMIN_PORT is given. */
  readonly adminUrl: string | undefined;
  /** The REST API behind it, which the gateway reaches over HTTP like any other. */
  readonly api: DevApi;
  /** What the gateway has logged, parsed. */
  readonly logged: readonly Record<string, unknown>[];
  close(): Promise<void>;
}

/** What every test gateway has unless it says otherwise: nothing that a test would have to wait for, no deadline that a slow one might miss. */
const DEFAULTS = {
  PORT: "0",
  HOST: "127.0.0.1",
  LOG_LEVEL: "debug",
  DRAIN_WINDOW: "0",
  RATE_LIMIT_MESSAGES: "100000/1s",
  RATE_LIMIT_OPERATIONS: "100000/1s",
  MAX_CONNECTIONS_PER_USER: "100000",
  ...LONG_DEADLINES,
};

/** In the project of tests that runs on Redis every gateway is alone in its part of it, unless a test says otherwise. */
function onRedis(): Readonly<Record<string, string>> {
  const url = inject("redisUrl");
  return url === undefined ? {} : { REDIS_URL: url, REDIS_PREFIX: `${randomUUID()}:` };
}

/**
 * @param environment variables of the gateway's configuration, over the quick ones. With HTTP_API_URL given the development API
 * runs all the same, but the gateway does not ask it.
 */
export async function startGateway(
  environment: Readonly<Record<string, string>> = {},
  overrides: Overrides = {},
): Promise<TestGateway> {
  await using starting = new AsyncDisposableStack();
  const api = starting.use(await startDevApi({ file: ":memory:" }));
  const logged: Record<string, unknown>[] = [];
  const write = (line: string): void => {
    logged.push(JSON.parse(line) as Record<string, unknown>);
  };
  const config = parseConfig({ HTTP_API_URL: api.url, ...DEFAULTS, ...onRedis(), ...environment });
  const gateway = starting.use(
    await createGateway(config, {
      log: pino({ level: config.LOG_LEVEL }, { write }),
      startPatienceMs: LONG_MS,
      ...overrides,
    }),
  );
  const running = starting.move();
  return {
    url: gateway.url,
    wsUrl: gateway.url.replace(/^http/, "ws"),
    adminUrl: gateway.adminUrl,
    api,
    logged,
    close: () => running.disposeAsync(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
