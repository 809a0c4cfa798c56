import type { Bus } from "../bus/bus.ts";
import type { Sessions } from "../chat/sessions.ts";
import type { Fanout } from "../fanout/fanout.ts";
import type { Log } from "../log.ts";
import type { WebSockets } from "./websocket/websocket.ts";

interface StatisticsSources {
  readonly webSockets: Pick<WebSockets, "size">;
  readonly sessions: Pick<Sessions, "size" | "recheckWithinMs">;
  readonly fanout: Pick<Fanout, "statistics">;
  readonly bus: Pick<Bus<unknown>, "statistics">;
  readonly log: Log;
}

/**
 * Logs what the process is doing, every `intervalMs`: one line that tells an operator without metrics whether it is well.
 *
 * @returns stops it.
 */
export function startStatistics(sources: StatisticsSources, intervalMs: number): () => void {
  const { webSockets, sessions, fanout, bus, log } = sources;
  const write = (): void =>
    log.info(
      {
        connections: webSockets.size,
        ...sessions.size,
        recheckWithinMs: sessions.recheckWithinMs,
        ...fanout.statistics,
        ...bus.statistics,
        heapBytes: process.memoryUsage().heapUsed,
      },
      "statistics",
    );
  const timer = setInterval(write, intervalMs).unref();
  return () => clearInterval(timer);
}
