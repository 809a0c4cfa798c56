/** What operators see and do: puts the admin listener's parts together. */
import type { Bus } from "../../bus/bus.ts";
import type { BackendEvents } from "../../chat/backend-events.ts";
import type { Directory } from "../../chat/directory.ts";
import type { BusEvent } from "../../chat/events/registry.ts";
import type { Sessions } from "../../chat/sessions.ts";
import type { Config } from "../../config/config.ts";
import type { Fanout } from "../../fanout/fanout.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Instance } from "../../instance.ts";
import type { Log } from "../../log.ts";
import type { Counts } from "../../measures.ts";
import type { EventsStatistics } from "../http/events-endpoint.ts";
import type { ChatApi } from "../../upstream/chat-api.ts";
import type { HttpServer } from "../http/http-server.ts";
import type { WebSockets } from "../websocket/websocket.ts";
import { startAdminServer } from "./admin-server.ts";
import { AdminToken } from "./admin-token.ts";
import type { MetricSources } from "./families.ts";
import { Metrics } from "./metrics.ts";
import { Status } from "./status.ts";
import { Users } from "./users.ts";

/** What is counted by no part that is asked for more. */
interface Counted {
  /** Connections that were refused, by reason. */
  readonly rejections: Counts;
  readonly events: EventsStatistics;
  /** By limit. */
  readonly rateLimited: Counts;
  /** Events that were delivered late, by where they were read. */
  readonly replayed: Counts;
  /** Subscriptions by where they began. */
  readonly starts: Counts;
}

/** What the admin listener shows. */
export interface AdminParts {
  readonly config: Config;
  readonly instance: Instance;
  readonly operations: Operations;
  readonly webSockets: WebSockets;
  readonly counted: Counted;
  readonly api: ChatApi;
  readonly bus: Bus<BusEvent>;
  readonly fanout: Fanout;
  readonly sessions: Sessions;
  readonly directory: Directory;
  readonly backendEvents: BackendEvents;
  readonly http: Pick<HttpServer, "notReady">;
  readonly log: Log;
}

/**
 * Tells the other instances about this one, and starts the listener, where there is an ADMIN_PORT. Resolves to its address; rejects where the port is taken or the address is not this
 * machine's.
 *
 * @param starting ends it.
 */
export async function startAdmin(parts: AdminParts, starting: AsyncDisposableStack): Promise<string | undefined> {
  const { config, http, log } = parts;
  const status = new Status(parts);
  status.start();
  starting.defer(() => status.close());
  const users = new Users({ ...parts, instanceName: parts.instance.name, instances: () => status.names() });
  starting.defer(() => users.close());
  await users.start();
  if (config.ADMIN_PORT === undefined) return undefined;
  const server = await startAdminServer({
    port: config.ADMIN_PORT,
    host: config.ADMIN_HOST,
    token: new AdminToken(config.ADMIN_TOKEN),
    metrics: new Metrics(metricSources(parts)),
    status,
    users,
    notReady: () => http.notReady(),
    log,
  });
  return starting.use(server).url;
}

function metricSources({
  instance,
  operations,
  webSockets,
  counted,
  api,
  bus,
  fanout,
  sessions,
  log,
}: AdminParts): MetricSources {
  return {
    ...counted,
    version: instance.version,
    operations: operations.statistics,
    closes: webSockets.closes,
    api,
    bus,
    fanout,
    log,
    connections() {
      const counts = webSockets.connections.count();
      // Every other session is an SSE stream's.
      return { ...counts, sse: Math.max(0, sessions.size.sessions - counts.sessions) };
    },
    sessions,
  };
}
