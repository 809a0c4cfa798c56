/** Messages on their way, for Apollo Client and urql. The client kit has its own. */
import { useRef, useState } from "react";

export interface Unsent {
  /** Its `clientMessageId`. */
  readonly key: string;
  readonly chatId: string;
  readonly content: string;
  /** When it was written, in ms since 1970. */
  readonly at: number;
  readonly isFailed?: boolean;
}

export interface Outbox {
  readonly unsent: readonly Unsent[];
  readonly send: (chatId: string, content: string) => void;
  readonly retry: (message: Unsent) => void;
}

/**
 * Sends messages in order, one at a time. Sent again with the same `clientMessageId`, a message is persisted once.
 *
 * @param post rejects where a message cannot be sent.
 */
export function useOutbox(post: (message: Unsent) => Promise<unknown>): Outbox {
  const [unsent, setUnsent] = useState<readonly Unsent[]>([]);
  const queue = useRef(Promise.resolve());
  const replace = (message: Unsent, ...by: readonly Unsent[]): void =>
    setUnsent((all) => [...all.filter(({ key }) => key !== message.key), ...by]);
  const retry = (message: Unsent): void => {
    replace(message, { ...message, isFailed: false });
    queue.current = queue.current
      .then(() => post(message))
      .then(
        () => replace(message),
        () => replace(message, { ...message, isFailed: true }),
      );
  };
  const send = (chatId: string, content: string): void =>
    retry({ key: crypto.randomUUID(), chatId, content, at: Date.now() });
  return { unsent, send, retry };
}

/** What is read of a persisted message, to recognise one that was sent from here. */
export interface Persisted {
  readonly clientMessageId?: string | null;
  readonly content: string;
  readonly createdAt: string;
  readonly sender: { readonly id: string };
}

/** A phone's clock may be so much ahead of the server's. */
const CLOCK_SKEW_MS = 60_000;

/** Whether a persisted message is the one on its way. The history does not know keys: in it, a message on its way is recognised by what it says. */
export function isCopy({ key, content, isFailed, at }: Unsent, other: Persisted, me: string): boolean {
  if (other.clientMessageId) return other.clientMessageId === key;
  const isLater = Date.parse(other.createdAt) > at - CLOCK_SKEW_MS;
  return !isFailed && isLater && other.sender.id === me && other.content === content;
}
