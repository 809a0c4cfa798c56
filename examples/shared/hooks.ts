/** Hooks for Apollo Client and urql. The client kit has its own. */
import { useCallback, useEffect, useState } from "react";
import type { Status } from "./connection.ts";
import type { Person } from "./page.tsx";

/** Time for the messages that come together. */
const READ_AFTER_MS = 300;

const RETRY_AFTER_MS = 1000;

/** Marks the chat as read while the page is visible, and whenever there is a newer message then. */
export function useMarkRead(newestId: string | undefined, markRead: () => unknown): void {
  useEffect(() => {
    const mark = (): void => {
      if (newestId && document.visibilityState === "visible") markRead();
    };
    const timer = setTimeout(mark, READ_AFTER_MS);
    document.addEventListener("visibilitychange", mark);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", mark);
    };
    // The chat's newest message identifies the chat too.
  }, [newestId]);
}

/** Tries again in a moment where something could not be loaded. */
export function useRetry(error: unknown, retry: () => unknown): void {
  useEffect(() => {
    const timer = error ? setTimeout(retry, RETRY_AFTER_MS) : undefined;
    return () => clearTimeout(timer);
  }, [error]);
}

export interface TypingChange {
  readonly isTyping: boolean;
  readonly user: Person;
}

/** Who is typing, and a function that takes a change. After a reconnect the gateway begins with those who are typing then. */
export function useTyping(status: Status): [typing: readonly Person[], change: (change: TypingChange) => void] {
  const [typing, setTyping] = useState<readonly Person[]>([]);
  useEffect(() => {
    if (status === "reconnecting" || status === "offline") setTyping([]);
  }, [status]);
  const change = useCallback(
    ({ isTyping, user }: TypingChange) =>
      setTyping((all) => [...all.filter(({ id }) => id !== user.id), ...(isTyping ? [user] : [])]),
    [],
  );
  return [typing, change];
}

interface Listed {
  readonly id: string;
  readonly updatedAt: string;
}

/** The chats, the most recently updated first, and the one that is open: the first one until another is chosen. */
export function useOpenChat<Chat extends Listed>(
  unordered: readonly Chat[] = [],
): { readonly chats: readonly Chat[]; readonly open: Chat | undefined; readonly choose: (chatId: string) => void } {
  const [chosen, choose] = useState<string>();
  const chats = unordered.toSorted((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1));
  return { chats, open: chats.find(({ id }) => id === chosen) ?? chats[0], choose };
}
