import type { Connection } from "./connection.ts";
import { PAGE, type WireMessage, type WirePage } from "./wire.ts";

/** A page of a chat's history, the oldest first. */
export interface Page {
  readonly nodes: readonly WireMessage[];
  /** Where the page before is; undefined where there is none. */
  readonly start: string | undefined;
}

/** The newest messages, or the newest before a cursor. Rejects with a `Failure`. */
export async function loadPage(connection: Connection, id: string, last: number, before?: string): Promise<Page> {
  const variables = { id, last, before };
  const { chat } = await connection.run<{ chat: { messages: WirePage } }>(PAGE, variables);
  const { nodes, pageInfo } = chat.messages;
  return { nodes, start: pageInfo.hasPreviousPage ? nodes[0]?.cursor : undefined };
}
