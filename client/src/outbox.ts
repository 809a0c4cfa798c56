import type { Connection } from "./connection.ts";
import { uniqueId } from "./id.ts";
import { operate } from "./operate.ts";
import type { ChatStorage } from "./types.ts";
import { SEND, type WireMessage } from "./wire.ts";

/** A message on its way. */
export interface Pending {
  /** Its `clientMessageId`. */
  readonly key: string;
  readonly chatId: string;
  readonly text: string;
  readonly at: number;
  /** When it was first given to a connection. */
  triedAt?: number;
  isFailed?: boolean;
  /** What the gateway has answered; shown here until the chat's stream brings it to its place. */
  message?: WireMessage;
}

/** What an open chat has to do with its outgoing messages. */
export interface OpenChat {
  /** Whether everything that was missed has come: a message that was tried before is then known to be there or not. */
  readonly isLive: boolean;
  has(messageId: string): boolean;
  changed(): void;
}

const PREFIX = "graphql-chat-client:";

/** So long the gateway recognises a `clientMessageId`, less some time for it to arrive. */
const REPEATABLE_MS = 9 * 60_000;

/** So long errors that may pass are waited for; then a person is asked. */
const RETRY_FOR_MS = 10_000;

/** Messages that are not persisted yet, in order, one at a time. */
export class Outbox {
  /** The open chats. */
  readonly rooms: Map<string, OpenChat>;
  readonly #connection: Connection;
  readonly #storage: ChatStorage | undefined;
  /** What this client has stored, or found. */
  readonly #keys = new Set<string>();
  #pending: readonly Pending[] = [];
  sending: Pending | undefined;
  #stop = (): void => undefined;
  /** Whose stored messages are here. */
  #owner = "";

  constructor(connection: Connection, rooms: Map<string, OpenChat>, storage: ChatStorage | undefined) {
    this.#connection = connection;
    this.rooms = rooms;
    this.#storage = storage;
    connection.listeners.add(() => {
      this.#stop();
      this.sending = undefined;
      this.#welcome(connection.userId);
      this.flush();
    });
  }

  of(chatId: string): readonly Pending[] {
    return this.#pending.filter((pending) => pending.chatId === chatId);
  }

  add(chatId: string, text: string, key = uniqueId()): Pending {
    const pending: Pending = { key, chatId, text, at: Date.now() };
    this.#change([...this.#pending, pending]);
    return pending;
  }

  retry(key: string): void {
    const failed = this.#find(key);
    if (!failed?.isFailed) return;
    this.drop(key);
    this.add(failed.chatId, failed.text, key);
  }

  /** Drops a message: it is persisted and shown elsewhere, or nobody wants it any more. */
  drop(key: string): void {
    const dropped = this.#find(key);
    if (dropped && dropped === this.sending) {
      this.#stop();
      this.sending = undefined;
    }
    this.#change(this.#pending.filter((pending) => pending !== dropped));
  }

  /** Sends what can be sent now. */
  flush(): void {
    const next = this.#pending.find(
      ({ isFailed, message, chatId }) => !isFailed && !message && (this.rooms.get(chatId)?.isLive ?? true),
    );
    if (next && !this.sending && this.#connection.isConnected) {
      next.triedAt ??= Date.now();
      if (Date.now() - next.triedAt < REPEATABLE_MS) this.#send(next);
      else {
        next.isFailed = true;
        this.flush();
      }
    }
    this.rooms.forEach((chat) => chat.changed());
  }

  #send(pending: Pending): void {
    const { chatId, text, key } = pending;
    this.sending = pending;
    const finish = (): void => {
      this.sending = undefined;
      this.#change(this.#pending);
    };
    this.#stop = operate<{ sendMessage: WireMessage }>(
      this.#connection.client,
      { query: SEND, variables: { id: chatId, text, key } },
      ({ sendMessage }) => {
        pending.message = sendMessage;
        finish();
        if (this.rooms.get(chatId)?.has(sendMessage.id) ?? true) this.drop(key);
      },
      () => {
        pending.isFailed = true;
        finish();
      },
      Date.now() + RETRY_FOR_MS,
    );
    this.#save();
  }

  #find(key: string): Pending | undefined {
    return this.#pending.find((pending) => pending.key === key);
  }

  #change(pending: readonly Pending[]): void {
    this.#pending = pending;
    this.#save();
    this.flush();
  }

  /** What the same person has stored comes first; nobody's messages are sent as somebody else's. */
  #welcome(userId: string): void {
    if (this.#owner === userId) return;
    const here = this.#owner ? [] : this.#pending;
    this.#owner = userId;
    this.#pending = [...this.#stored(), ...here];
  }

  #stored(): readonly Pending[] {
    return JSON.parse(this.#storage?.getItem(PREFIX + this.#owner) ?? "[]") as readonly Pending[];
  }

  /** Leaves alone what other tabs of the browser have stored. */
  #save(): void {
    if (!this.#owner) return;
    for (const { key } of this.#pending) this.#keys.add(key);
    const others = this.#stored().filter(({ key }) => !this.#keys.has(key));
    const own = this.#pending.filter(({ message }) => !message);
    try {
      this.#storage?.setItem(PREFIX + this.#owner, JSON.stringify([...others, ...own]));
    } catch {
      // A full or forbidden storage: the message is sent all the same, as long as the page lives.
    }
  }
}
