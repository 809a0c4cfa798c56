/** The embedded development REST API: the contract of the API behind the gateway, on one SQLite file, with faults on demand. */
import type { Data, DemoUser } from "./data.ts";
import { EventSender, type EventsTarget } from "./events.ts";
import { Faults } from "./faults.ts";
import type { PagingDialect, Settings } from "./call.ts";
import { route } from "./routes.ts";
import { DEMO_CHATS, DEMO_USERS, seed } from "./seed.ts";
import { ApiServer } from "./server.ts";
import { dataOf, Store } from "./store.ts";

export interface DevApiOptions {
  /** The SQLite file, made with its folder where there is none; `:memory:` keeps nothing. A new one gets the demo data. */
  readonly file: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** `127.0.0.1` where absent: the demo tokens are public. */
  readonly host?: string;
  /** `nextToken` where absent. */
  readonly paging?: PagingDialect;
  /** Whether every page has 50 messages, whatever `limit` asks for; false where absent. */
  readonly ignoreLimit?: boolean;
}

export interface DevApi extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
  /** Alice, Bob and Carol, with tokens that are the same in every development API. */
  readonly users: readonly DemoUser[];
  /** A chat of the demo data that all of them are in. */
  readonly demoChatId: string;
  readonly faults: Faults;
  readonly data: Data;
  /** In what the contract leaves a deployment free; may be changed at any time. */
  readonly settings: Settings;
  /**
   * From now on tells `target` what is written, over HTTP and through `data` alike, in the order of the writes. A write neither
   * waits for that nor fails with it; what cannot be delivered in four attempts is dropped.
   */
  sendEventsTo(target: EventsTarget): void;
  /** Closes every connection, lifts every fault, drops the events that have not arrived and closes the file. May be called more than once. */
  close(): Promise<void>;
}

/** @throws Error where the file cannot be opened or the port is taken. */
export async function startDevApi(options: DevApiOptions): Promise<DevApi> {
  const { file, port = 0, host = "127.0.0.1", paging = "nextToken", ignoreLimit = false } = options;
  await using started = new AsyncDisposableStack();
  const events = new EventSender();
  const store = started.use(new Store(file, events.announce));
  started.defer(() => events.close());
  if (!store.users.exist()) seed(store);
  const faults = new Faults();
  const settings: Settings = { paging, ignoreLimit };
  const server = new ApiServer(faults, (request) => route(store, settings, request));
  started.defer(() => server.close());
  const url = await server.listen(port, host);
  const running = started.move();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= running.disposeAsync());
  return {
    url,
    users: DEMO_USERS,
    demoChatId: DEMO_CHATS.team,
    faults,
    data: dataOf(store),
    settings,
    sendEventsTo: (target) => events.sendTo(target),
    close,
    [Symbol.asyncDispose]: close,
  };
}
