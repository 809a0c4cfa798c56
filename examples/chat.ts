/** What a screen needs of one chat. The examples beside this file bring it with one GraphQL client each. */
import type {
  MessageFieldsFragment,
  PresenceFieldsFragment,
  ReadReceiptFieldsFragment,
  TypingFieldsFragment,
} from "../tests/support/generated/graphql.ts"; // What codegen makes of schema/operations/.

export interface ChatOptions {
  /** `https://chat.example.com/graphql`. */
  readonly url: string;
  /** Asked at every connect, so that a session that ended with its token comes back with a fresh one. */
  readonly token: () => string | Promise<string>;
  readonly chatId: string;
  readonly listener: ChatListener;
}

export interface ChatListener {
  /** All messages at hand, oldest first, whenever something about them has changed. */
  messages(shown: readonly ShownMessage[]): void;
  receipt(receipt: ReadReceiptFieldsFragment): void;
  /** Who is typing already comes first, after a reconnect too. */
  typing(change: TypingFieldsFragment): void;
  /** Who is online already comes first, after a reconnect too. */
  presence(presence: PresenceFieldsFragment): void;
  /** A subscription has ended, for good: its viewer is no member, say. `code` is one of the gateway's error codes. */
  ended(code: unknown): void;
}

export interface ShownMessage {
  /** What a list of elements goes by: the same for an optimistic copy and for the message that takes its place. */
  readonly key: string;
  readonly content: string;
  readonly state: "sending" | "sent" | "failed";
}

export interface Chat {
  /**
   * Shows a copy at once, and resolves when the message itself has taken its place. Rejects with the client's error. Sent again
   * with the same clientMessageId, by a person who presses "retry", it is sent once all the same.
   */
  send(content: string, clientMessageId?: string): Promise<void>;
  close(): Promise<void>;
}

/** The messages of a chat with the optimistic copies of those under way, for clients whose cache keeps no such list. */
export class MessageList {
  readonly #onChange: (shown: readonly ShownMessage[]) => void;
  readonly #sent = new Map<string, MessageFieldsFragment>();
  readonly #unsent = new Map<string, ShownMessage>();

  constructor(onChange: (shown: readonly ShownMessage[]) => void) {
    this.#onChange = onChange;
  }

  /** Messages come from the history, from the subscription and as the answer to a mutation, in any order; each counts once. */
  add(...messages: readonly MessageFieldsFragment[]): void {
    for (const message of messages) {
      // The history does not know the clientMessageId: what was learnt before stays.
      const clientMessageId = message.clientMessageId ?? this.#sent.get(message.id)?.clientMessageId ?? null;
      this.#sent.set(message.id, { ...message, clientMessageId });
      if (clientMessageId !== null) this.#unsent.delete(clientMessageId);
    }
    this.#changed();
  }

  /** A page that may not follow what is here takes its place. */
  replace(...messages: readonly MessageFieldsFragment[]): void {
    this.#sent.clear();
    this.add(...messages);
  }

  sending(clientMessageId: string, content: string): void {
    this.#unsent.set(clientMessageId, { key: clientMessageId, content, state: "sending" });
    this.#changed();
  }

  failed(clientMessageId: string): void {
    const unsent = this.#unsent.get(clientMessageId);
    // Its message may have arrived although its answer has not.
    if (!unsent) return;
    this.#unsent.set(clientMessageId, { ...unsent, state: "failed" });
    this.#changed();
  }

  #changed(): void {
    this.#onChange([...[...this.#sent.values()].toSorted(byCreation).map(toShown), ...this.#unsent.values()]);
  }
}

/** The order of a chat's messages. Instants are all of one form, so that the order of the texts is that of the times. */
function byCreation(one: MessageFieldsFragment, other: MessageFieldsFragment): number {
  return compare(one.createdAt, other.createdAt) || compare(one.id, other.id);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function toShown({ id, clientMessageId, content }: MessageFieldsFragment): ShownMessage {
  return { key: clientMessageId ?? id, content, state: "sent" };
}
