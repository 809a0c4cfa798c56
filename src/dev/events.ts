/** Tells somebody what has been written to the development API, as a backend does: signed as Standard Webhooks has it. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import type { WireMessage } from "../upstream/wire.ts";
import type { StoredChat } from "./data.ts";

/** What is told, as the contract has it. */
export type ApiEvent =
  | { readonly type: "message.created"; readonly data: { readonly message: WireMessage } }
  | { readonly type: "message.read"; readonly data: Read }
  | { readonly type: "chat.created" | "chat.updated"; readonly data: { readonly chat: StoredChat } }
  | { readonly type: "chat.deleted"; readonly data: { readonly chatId: string } }
  | { readonly type: "user.signed_out"; readonly data: { readonly userId: string } };

interface Read {
  readonly chatId: string;
  /** The whole chat where absent. */
  readonly messageId?: string;
  readonly userId: string;
  readonly readAt: string;
}

/** Called after each write, in the order of the writes. Neither waits nor throws. */
export type Announce = (event: ApiEvent) => void;

/** Who is told. */
export interface EventsTarget {
  readonly url: string;
  /** `whsec_` and base64. */
  readonly secret: string;
}

/** Before each attempt, the first included. */
const PAUSES_MS = [0, 100, 400, 1600];

const TIMEOUT_MS = 5000;

/** Sends one event after the other: the next one when the one before has arrived, was refused, or has failed four times. */
export class EventSender {
  readonly #closing = new AbortController();
  #target: { readonly url: string; readonly webhook: Webhook } | undefined;
  #idle: Promise<void> = Promise.resolve();

  /**
   * From now on events go there, and nowhere else; before the first call they go nowhere.
   *
   * @throws Error where the secret is none.
   */
  sendTo({ url, secret }: EventsTarget): void {
    this.#target = { url, webhook: new Webhook(secret) };
  }

  readonly announce: Announce = (event) => {
    const target = this.#target;
    if (target === undefined) return;
    const body = JSON.stringify({ type: event.type, timestamp: new Date().toISOString(), data: event.data });
    const id = `msg_${randomUUID()}`;
    this.#idle = this.#idle.then(() => this.#deliver(target, id, body));
  };

  /** Gives up what has not arrived. Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#idle;
  }

  /** Never rejects: the write that it tells of has happened. */
  async #deliver(target: { readonly url: string; readonly webhook: Webhook }, id: string, body: string): Promise<void> {
    const { signal } = this.#closing;
    for (const pauseMs of PAUSES_MS) {
      try {
        await sleep(pauseMs, undefined, { signal, ref: false });
        const status = await post(target, id, body, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
        if (status < 500 && status !== 429) return;
      } catch {
        // Nobody is there, or this is the end: either way the loop decides.
        if (signal.aborted) return;
      }
    }
  }
}

async function post(
  { url, webhook }: { readonly url: string; readonly webhook: Webhook },
  id: string,
  body: string,
  signal: AbortSignal,
): Promise<number> {
  const now = new Date();
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": webhook.sign(id, now, body),
      // An idle connection would outlive the API.
      connection: "close",
    },
    body,
    signal,
  });
  await response.body?.cancel();
  return response.status;
}
