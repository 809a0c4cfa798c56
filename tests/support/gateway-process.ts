/** A gateway in a process of its own, on a development API in the test's. */
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import { LONG_DEADLINES } from "./deadlines.ts";
import { startProcess, type RunningProcess } from "./process.ts";

export interface GatewayProcess extends AsyncDisposable {
  readonly process: RunningProcess;
  /** The REST API behind it. It outlives the process. */
  readonly api: DevApi;
  readonly url: string;
  readonly wsUrl: string;
}

/** As startGateway's: nothing that a test would have to wait for, and no deadline that a slow one might miss. */
const DEFAULTS = {
  PORT: "0",
  HOST: "127.0.0.1",
  DRAIN_WINDOW: "0",
  RATE_LIMIT_MESSAGES: "100000/1s",
  RATE_LIMIT_OPERATIONS: "100000/1s",
  MAX_CONNECTIONS_PER_USER: "100000",
  ...LONG_DEADLINES,
};

/** Resolves when it listens. @param command as `startProcess` has it. */
export async function startGatewayProcess(
  environment: Readonly<Record<string, string>> = {},
  command?: readonly [string, ...string[]],
): Promise<GatewayProcess> {
  await using starting = new AsyncDisposableStack();
  const api = starting.use(await startDevApi({ file: ":memory:" }));
  const env = { ...DEFAULTS, HTTP_API_URL: api.url, ...environment };
  const process = starting.use(await startProcess({ env, ...(command && { command }) }));
  const url = await process.url();
  const running = starting.move();
  return {
    process,
    api,
    url,
    wsUrl: url.replace(/^http/, "ws"),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
