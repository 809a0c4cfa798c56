/** What operators see and do: puts the admin listener's parts together. */
import type { BusStatistics } from "../../bus/bus.ts";
import type { Sessions } from "../../chat/sessions.ts";
import type { Config } from "../../config/config.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Instance } from "../../instance.ts";
import type { Log } from "../../log.ts";
import type { Counts } from "../../measures.ts";
import type { EventsStatistics } from "../http/events-endpoint.ts";
import type { HttpServer } from "../http/http-server.ts";
import type { WebSockets } from "../websocket/websocket.ts";
import { startAdminServer } from "./admin-server.ts";
import { AdminToken } from "./admin-token.ts";
import type { MetricSources } from "./families.ts";
import { Metrics } from "./metrics.ts";

/** What the admin listener shows. */
export interface AdminParts {
  readonly config: Pick<Config, "ADMIN_HOST" | "ADMIN_PORT" | "ADMIN_TOKEN">;
  readonly instance: Instance;
  readonly operations: Operations;
  readonly webSockets: WebSockets;
  /** Connections that were refused, by reason. */
  readonly rejections: Counts;
  readonly events: EventsStatistics;
  readonly bus: { readonly isConnected: boolean; readonly statistics: BusStatistics };
  readonly sessions: Sessions;
  readonly http: Pick<HttpServer, "notReady">;
  readonly log: Log;
}

/**
 * Starts the listener, where there is an ADMIN_PORT. Resolves to its address; rejects where the port is taken or the address is not this
 * machine's.
 *
 * @param starting ends it.
 */
export async function startAdmin(parts: AdminParts, starting: AsyncDisposableStack): Promise<string | undefined> {
  const { config, http, log } = parts;
  if (config.ADMIN_PORT === undefined) return undefined;
  const server = await startAdminServer({
    port: config.ADMIN_PORT,
    host: config.ADMIN_HOST,
    token: new AdminToken(config.ADMIN_TOKEN),
    metrics: new Metrics(metricSources(parts)),
    notReady: () => http.notReady(),
    log,
  });
  return starting.use(server).url;
}

function metricSources({
  instance,
  operations,
  webSockets,
  rejections,
  events,
  bus,
  sessions,
}: AdminParts): MetricSources {
  return {
    version: instance.version,
    operations: operations.statistics,
    closes: webSockets.closes,
    rejections,
    events,
    bus: () => ({ ...bus.statistics, isConnected: bus.isConnected }),
    connections() {
      const counts = webSockets.count();
      // Every other session is an SSE stream's.
      return { ...counts, sse: Math.max(0, sessions.size.sessions - counts.sessions) };
    },
    sessions: () => ({ recheckWithinMs: sessions.recheckWithinMs }),
  };
}
