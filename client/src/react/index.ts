/** Hooks for the kit. A room is open while a component that uses it is mounted; nothing opens while one renders. */
import { createContext, createElement, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import type { ReactElement, ReactNode } from "react";
import type { ChatClient, ConnectionState, Inbox, Messages, People, Room, ShownMessage, Store } from "../index.ts";

const Context = createContext<ChatClient | undefined>(undefined);

/** What there is before a client is connected, and on a server. */
const CONNECTION: ConnectionState = { status: "connecting", since: 0 };
const INBOX: Inbox = { chats: [], unreadTotal: 0, loaded: false };
const MESSAGES: Messages = { items: [], hasOlder: false, loading: true };
const PEOPLE: People = { online: [], typing: [] };

/** Gives the components below the client. Without one, as on a server, they show what there is before a connection. */
export function ChatProvider(props: {
  readonly client?: ChatClient | undefined;
  readonly children?: ReactNode;
}): ReactElement {
  return createElement(Context.Provider, { value: props.client }, props.children);
}

export function useConnection(): ConnectionState {
  return useStore(useContext(Context)?.connection, CONNECTION);
}

/** The list of chats, with unread counts. */
export function useInbox(): Inbox {
  return useStore(useContext(Context)?.inbox, INBOX);
}

/** The messages of a chat; `loadOlder` brings the page before. */
export function useMessages(chatId: string): Messages & { readonly loadOlder: () => Promise<void> } {
  const room = useRoom(chatId);
  const messages = useStore(room.messages, MESSAGES);
  return useMemo(() => ({ ...messages, loadOlder: async () => room.now?.loadOlder() }), [messages, room]);
}

/** Who of the others is online, and who is typing. */
export function usePeople(chatId: string): People {
  return useStore(useRoom(chatId).people, PEOPLE);
}

/** What a field for a new message needs. */
export interface Composer {
  /** Undefined where there is no client. */
  readonly send: (text: string) => ShownMessage | undefined;
  readonly retry: (key: string) => void;
  readonly discard: (key: string) => void;
  readonly typing: () => void;
}

/**
 * Functions that stay the same. The room is open while the component is mounted; afterwards, as when an upload ends late, each call opens it
 * for its own time.
 */
export function useComposer(chatId: string): Composer {
  const room = useRoom(chatId);
  useEffect(() => room.open(), [room]);
  return useMemo(
    () => ({
      send: (text) => room.whileOpen((now) => now.send(text)),
      retry: (key) => room.whileOpen((now) => now.retry(key)),
      discard: (key) => room.whileOpen((now) => now.discard(key)),
      typing: () => room.now?.typing(),
    }),
    [room],
  );
}

/** Marks the chat as read while the page is visible, and whenever a message comes then. */
export function useMarkReadWhenVisible(chatId: string): void {
  const room = useRoom(chatId);
  useEffect(() => {
    const close = room.open();
    const mark = (): void => {
      if (document.visibilityState === "visible") room.now?.markRead();
    };
    const unsubscribe = room.now?.messages.subscribe(mark);
    document.addEventListener("visibilitychange", mark);
    mark();
    return () => {
      document.removeEventListener("visibilitychange", mark);
      unsubscribe?.();
      close();
    };
  }, [room]);
}

function useStore<T>(store: Store<T> | undefined, before: T): T {
  const get = (): T => before;
  return useSyncExternalStore(store?.subscribe ?? never, store?.get ?? get, get);
}

function never(): () => void {
  return () => undefined;
}

function useRoom(chatId: string): MountedRoom {
  const client = useContext(Context);
  return useMemo(() => new MountedRoom(client, chatId), [client, chatId]);
}

/** A room as long as somebody is subscribed to it: made while a component renders, opened when it is mounted. */
class MountedRoom {
  readonly messages = this.#store((room) => room.messages, MESSAGES);
  readonly people = this.#store((room) => room.people, PEOPLE);
  now: Room | undefined;
  readonly #client: ChatClient | undefined;
  readonly #chatId: string;
  #users = 0;

  constructor(client: ChatClient | undefined, chatId: string) {
    this.#client = client;
    this.#chatId = chatId;
  }

  /** The result closes it. */
  open(): () => void {
    this.#users++;
    this.now ??= this.#client?.room(this.#chatId);
    return () => {
      if (--this.#users > 0) return;
      this.now?.close();
      this.now = undefined;
    };
  }

  whileOpen<T>(act: (room: Room) => T): T | undefined {
    const close = this.open();
    const result = this.now && act(this.now);
    close();
    return result;
  }

  #store<T>(select: (room: Room) => Store<T>, before: T): Store<T> {
    return {
      get: () => (this.now ? select(this.now).get() : before),
      subscribe: (listener) => {
        const close = this.open();
        const unsubscribe = this.now && select(this.now).subscribe(listener);
        return () => {
          unsubscribe?.();
          close();
        };
      },
    };
  }
}
