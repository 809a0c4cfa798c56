/** A gateway that can be restarted behind a relay, on a REST API that stays. */
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import { connect, type TestClient } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startRelay, type Relay } from "../support/relay.ts";
import { openKit, type KitClient } from "./kit.ts";

export interface World extends AsyncDisposable {
  readonly api: DevApi;
  /** Between the kit's clients and the gateway. */
  readonly relay: Relay;
  readonly chatId: string;
  /** The gateway that runs now. */
  readonly gateway: TestGateway;
  /** A stock client past the relay, for this gateway alone. */
  connect(token: string): TestClient;
  /** A kit client through the relay. */
  open(options?: Partial<Parameters<typeof openKit>[0]>): KitClient;
  /** Stops the gateway and starts another one, which remembers nothing. `meanwhile` runs while there is none. */
  restart(meanwhile?: () => Promise<void> | void): Promise<void>;
}

/** @param environment of each gateway. */
export async function startWorld(environment: Readonly<Record<string, string>> = {}): Promise<World> {
  await using starting = new AsyncDisposableStack();
  const api = starting.use(await startDevApi({ file: ":memory:" }));
  const start = (): Promise<TestGateway> =>
    startGateway({ HTTP_API_URL: api.url, HTTP_API_IDEMPOTENT: "true", ...environment });
  let gateway = await start();
  starting.defer(() => gateway.close());
  const relay = starting.use(await startRelay(gateway.wsUrl));
  const clients = starting.use(new AsyncDisposableStack());
  const running = starting.move();
  return {
    api,
    relay,
    chatId: api.demoChatId,
    get gateway() {
      return gateway;
    },
    connect: (token) => clients.use(connect(gateway.wsUrl, token)),
    open: (options = {}) => clients.use(openKit({ url: relay.url, token: "alice-token", ...options })),
    async restart(meanwhile) {
      await gateway.close();
      await meanwhile?.();
      gateway = await start();
      relay.redirect(Number(new URL(gateway.url).port));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
