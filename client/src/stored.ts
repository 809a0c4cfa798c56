import type { ChatStorage } from "./types.ts";

/** A message on its way. */
export interface Pending {
  /** Its `clientMessageId`. */
  readonly key: string;
  readonly chatId: string;
  readonly text: string;
  readonly at: number;
  /** A message that is sent is shown here until the chat's stream brings it to its place. */
  state: "queued" | "failed" | "sent";
  /** When it was first given to a connection. */
  triedAt?: number;
  /** When the newest message was persisted that its open chat showed then, in ms since 1970: no older one is this one. */
  triedAfter?: number | undefined;
  /** The id that the gateway has answered with. */
  id?: string | undefined;
  /** Ends the attempt that is under way. Functions are not stored: the message is queued again when the page is loaded again. */
  stop?: (() => void) | undefined;
}

/** Where messages that are not sent yet survive a reload. */
export interface StoredMessages {
  /** What the same person has stored comes first; nobody's messages are sent as somebody else's. */
  welcome(userId: string, messages: readonly Pending[]): readonly Pending[];
  save(messages: readonly Pending[]): void;
}

export function storedMessages(storage: ChatStorage | undefined): StoredMessages {
  /** What this client has stored, or found. */
  const keys = new Set<string>();
  /** Empty until the gateway has said who is signed in. */
  let storageKey = "";
  const load = (): readonly Pending[] => {
    try {
      return (JSON.parse(storage?.getItem(storageKey) as string) as readonly Pending[] | null) ?? [];
    } catch {
      // There is no storage, it is forbidden, or something else is stored there.
      return [];
    }
  };
  return {
    welcome(userId, messages) {
      const before = storageKey;
      storageKey = `graphql-chat-client:${userId}`;
      if (storageKey === before) return messages;
      return before ? load() : load().concat(messages);
    },
    /** Leaves alone what other tabs of the browser have stored. */
    save(messages) {
      if (!storageKey) return;
      messages.forEach((message) => keys.add(message.key));
      try {
        storage?.setItem(
          storageKey,
          JSON.stringify(
            load()
              .filter((message) => !keys.has(message.key))
              .concat(messages.filter((message) => message.state !== "sent")),
          ),
        );
      } catch {
        // A full or forbidden storage: the message is sent all the same, as long as the page lives.
      }
    },
  };
}
