/** A connection's opening and closing, as the log has them. */
import type { Session } from "../chat/session.ts";
import type { Results } from "../graphql/result-stream.ts";
import { ConnectionMessage, type Log } from "../log.ts";
import type { Connection } from "./websocket/connection.ts";

export function logOpening(log: Log, { id: connectionId, user }: Session, transport: "websocket" | "sse"): void {
  log.info({ connectionId, userId: user.id, transport }, ConnectionMessage.opened);
}

/** @param code the client's own, or its answer to the gateway's; 1006 where there was none. */
export function logClosing(log: Log, { session, outbox, starts }: Connection, code: number, reason: string): void {
  if (!session) {
    // Nobody knows whose it was. The reason is the client's own text, or the gateway's.
    log.info({ code }, "connection refused or given up");
    return;
  }
  const { id: connectionId, user, openedAt, ended } = session;
  log.info(
    {
      connectionId,
      userId: user.id,
      transport: "websocket",
      code,
      // What a client says is not repeated.
      ...(ended ? { reason: ended.reason } : reason === "Service restart" ? { reason } : {}),
      durationMs: Date.now() - openedAt,
      delivered: outbox.delivered,
      starts,
    },
    ConnectionMessage.closed,
  );
}

export function logStreamEnd(
  log: Log,
  { id: connectionId, user, openedAt, ended }: Session,
  code: number,
  results: Pick<Results, "delivered" | "startedWith"> | undefined,
): void {
  const start = results?.startedWith;
  log.info(
    {
      connectionId,
      userId: user.id,
      transport: "sse",
      code,
      ...(ended ? { reason: ended.reason } : {}),
      durationMs: Date.now() - openedAt,
      delivered: results?.delivered ?? 0,
      starts: start === undefined ? {} : { [start]: 1 },
    },
    ConnectionMessage.closed,
  );
}
