/** Several gateways that are one: a shared bus, one development API. */
import { vi } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import type { DevApi } from "../../src/dev/api.ts";
import { createTestBus } from "./bus.ts";
import { EVENTS_SECRET } from "./events.ts";
import { startGateway, type TestGateway } from "./gateway.ts";

export interface Instances extends AsyncDisposable {
  readonly api: DevApi;
  readonly one: TestGateway;
  readonly other: TestGateway;
  /** One more, for as long as the others run unless it is closed before. */
  start(environment?: Readonly<Record<string, string>>): Promise<TestGateway>;
}

/** What stands behind the instances: the bus that each of them is given, and its end. */
export interface Backplane extends AsyncDisposable {
  /** A port of its own for each instance, or one for all. */
  busOf(): Bus<BusEvent>;
}

/** One bus in the test's memory. */
export function createMemoryBackplane(): Backplane {
  const bus = createTestBus();
  return { busOf: () => bus, [Symbol.asyncDispose]: () => bus.close() };
}

/** One whose log reaches back for a minute already, as that of gateways which have run for a while. */
export function createSeasonedBackplane(): Backplane {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 60_000 });
  try {
    return createMemoryBackplane();
  } finally {
    vi.useRealTimers();
  }
}

export async function startInstances(
  environment: Readonly<Record<string, string>> = {},
  createBackplane: () => Backplane = createMemoryBackplane,
): Promise<Instances> {
  await using starting = new AsyncDisposableStack();
  const backplane = starting.use(createBackplane());
  const common = { EVENTS_SECRET, ...environment };
  const one = starting.use(await startGateway(common, { bus: backplane.busOf() }));
  const start: Instances["start"] = async (own = {}) =>
    running.use(await startGateway({ ...common, HTTP_API_URL: one.api.url, ...own }, { bus: backplane.busOf() }));
  let running = starting;
  const other = await start();
  running = starting.move();
  return { api: one.api, one, other, start, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
