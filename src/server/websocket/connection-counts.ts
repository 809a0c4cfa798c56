/** What is counted of connections. */
import type { Session } from "../../chat/session.ts";
import { Counts } from "../../measures.ts";
import type { Connection } from "./connection.ts";

/** Open connections, by how far they are. */
export interface ConnectionCounts {
  /** Before `connection_ack`. */
  readonly opening: number;
  readonly open: number;
  readonly closing: number;
  /** Of all of them, those that have a session. */
  readonly sessions: number;
  /** Of all of them, those whose client does not read what was sent. */
  readonly lagging: number;
}

/** Looks at each. */
export function countConnections(connections: Iterable<Connection>): ConnectionCounts {
  const counts = { opening: 0, open: 0, closing: 0, sessions: 0, lagging: 0 };
  for (const { isOpen, session, outbox } of connections) {
    counts[isOpen ? (session ? "open" : "opening") : "closing"]++;
    if (session) counts.sessions++;
    if (outbox.isLagging) counts.lagging++;
  }
  return counts;
}

/** What is told of one connection. */
export interface ConnectionReport {
  readonly session: Session;
  /** Events that were written to it. */
  readonly delivered: number;
  readonly isLagging: boolean;
}

/** Looks at each. */
export function connectionsOf(userId: string, connections: Iterable<Connection>): readonly ConnectionReport[] {
  const found: ConnectionReport[] = [];
  for (const { session, outbox } of connections) {
    if (session?.viewer.userId !== userId) continue;
    found.push({ session, delivered: outbox.delivered, isLagging: outbox.isLagging });
  }
  return found;
}

/** Close codes that are counted apart. A client can close with any from 3000 to 4999. */
const KNOWN_CODES: ReadonlySet<number> = new Set([
  1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 4400, 4401, 4403, 4406, 4408, 4409, 4429,
  4499, 4500,
]);

/** Counts closed connections by their code. */
export class Closes extends Counts {
  note(code: number): void {
    this.add(KNOWN_CODES.has(code) ? String(code) : "other");
  }
}
