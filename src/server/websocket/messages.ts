/** Messages of clients, reduced to what the protocol reads of them. */

import { MessageType } from "graphql-ws";
import { documentHash } from "../../graphql/persisted-documents.ts";
import { parseClientJson } from "../client-json.ts";

/** A message of graphql-transport-ws, parsed; undefined where the text is none. */
export type ParsedMessage = { readonly type?: unknown; readonly id?: unknown; readonly payload?: unknown } | undefined;

/** Characters of an operation's id: it comes back with every event. */
const MAX_ID_LENGTH = 128;

/** Undefined where the text is no JSON object, is nested too deeply, or its id is too long: these are no messages of the protocol. */
export function readMessage(text: string): ParsedMessage {
  let message: unknown;
  try {
    message = parseClientJson(text);
  } catch {
    return undefined;
  }
  if (typeof message !== "object" || message === null) return undefined;
  const { type, id, payload }: { type?: unknown; id?: unknown; payload?: unknown } = message;
  if (typeof id === "string" && id.length > MAX_ID_LENGTH) return undefined;
  if (type === MessageType.Subscribe && isObject(payload)) ensureQuery(payload);
  return { type, ...(id === undefined ? {} : { id }), ...(payload === undefined ? {} : { payload }) };
}

/** graphql-ws refuses an operation without a text, which one that names its document by a hash need not have. */
function ensureQuery(payload: Record<string, unknown>): void {
  if ((payload["query"] ?? undefined) === undefined && documentHash(payload) !== undefined) payload["query"] = "";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/**
 * Empties a payload in place once it has been read: graphql-ws holds the message of an operation until the operation is over, and the
 * connection's parameters until the connection is.
 */
export function discard(payload: object): void {
  for (const name of Object.keys(payload)) Reflect.deleteProperty(payload, name);
}
