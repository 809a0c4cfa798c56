/** The backend's side of `POST /events`. */
import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import type { BackendEvent } from "../../src/chat/backend-events.ts";

export const EVENTS_SECRET = `whsec_${Buffer.from("a secret of these tests alone").toString("base64")}`;

export interface EventOptions {
  /** The `webhook-id`; a new one where absent. */
  readonly id?: string;
  /** When it was signed; now where absent. */
  readonly signedAt?: Date;
  /** {@link EVENTS_SECRET} where absent. */
  readonly secret?: string;
  /** Over those of the signature; null leaves one out. */
  readonly headers?: Readonly<Record<string, string | null>>;
}

export interface EventAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
}

/**
 * Posts a signed event.
 *
 * @param url the GraphQL endpoint of the gateway.
 * @param event a text is the whole body.
 */
export async function postEvent(
  url: string,
  event: Readonly<Record<string, unknown>> | string,
  { id = `msg_${randomUUID()}`, signedAt = new Date(), secret = EVENTS_SECRET, headers = {} }: EventOptions = {},
): Promise<EventAnswer> {
  const body = typeof event === "string" ? event : JSON.stringify({ timestamp: new Date().toISOString(), ...event });
  const all: Record<string, string | null> = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(signedAt.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, signedAt, body),
    ...headers,
  };
  const given = Object.entries(all).filter((header): header is [string, string] => header[1] !== null);
  const response = await fetch(new URL("/events", url), { method: "POST", headers: given, body });
  return { status: response.status, body: await response.text(), headers: response.headers };
}

/** An event without its envelope. */
export type Said = { readonly [E in BackendEvent as E["type"]]: Pick<E, "type" | "data"> }[BackendEvent["type"]];

/** Posts an event that the gateway has to accept; resolves when it has. */
export async function tell({ url }: { readonly url: string }, event: Said, options?: EventOptions): Promise<void> {
  const { status, body } = await postEvent(url, event, options);
  if (status !== 202) throw new Error(`the event was answered ${status}: ${body}`);
}
