import type { ChatStorage, ShownMessage } from "./types.ts";

const PREFIX = "graphql-chat-client:";

/** A message on its way. */
export interface Pending {
  /** Its `clientMessageId`. */
  readonly key: string;
  readonly chatId: string;
  readonly text: string;
  readonly at: number;
  /** A message that is sent is shown here until the chat's stream brings it to its place. */
  state: ShownMessage["state"];
  /** When it was first given to a connection. */
  triedAt?: number;
  /** The id that the gateway has answered with. */
  id?: string;
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
  /** Whose stored messages are here. */
  let owner = "";
  const load = (): readonly Pending[] => JSON.parse(storage?.getItem(PREFIX + owner) ?? "[]") as readonly Pending[];
  return {
    welcome(userId, messages) {
      if (owner === userId) return messages;
      const here = owner ? [] : messages;
      owner = userId;
      const stored = load();
      // The page may have gone while it sent one.
      stored.forEach((message) => {
        if (message.state !== "failed") message.state = "queued";
      });
      return stored.concat(here);
    },
    /** Leaves alone what other tabs of the browser have stored. */
    save(messages) {
      if (!owner) return;
      messages.forEach((message) => keys.add(message.key));
      try {
        storage?.setItem(
          PREFIX + owner,
          JSON.stringify([
            ...load().filter((message) => !keys.has(message.key)),
            ...messages.filter((message) => message.state !== "sent"),
          ]),
        );
      } catch {
        // A full or forbidden storage: the message is sent all the same, as long as the page lives.
      }
    },
  };
}
