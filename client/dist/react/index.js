/** Hooks for the kit. A room is open while a component that uses it is mounted; nothing opens while one renders. */
import { createContext, createElement, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
const Context = createContext(undefined);
/** What there is before a client is connected, and on a server. */
const CONNECTION = { status: "connecting", since: 0 };
const INBOX = { chats: [], unreadTotal: 0, loaded: false };
const MESSAGES = { items: [], hasOlder: false, loading: true };
const PEOPLE = { online: [], typing: [] };
/** Gives the components below the client. Without one, as on a server, they show what there is before a connection. */
export function ChatProvider(props) {
    return createElement(Context.Provider, { value: props.client }, props.children);
}
export function useConnection() {
    return useStore(useContext(Context)?.connection, CONNECTION);
}
/** The list of chats, with unread counts. */
export function useInbox() {
    return useStore(useContext(Context)?.inbox, INBOX);
}
/** The messages of a chat; `loadOlder` brings the page before. */
export function useMessages(chatId) {
    const room = useRoom(chatId);
    const messages = useStore(room.messages, MESSAGES);
    return useMemo(() => ({ ...messages, loadOlder: async () => room.now?.loadOlder() }), [messages, room]);
}
/** Who of the others is online, and who is typing. */
export function usePeople(chatId) {
    return useStore(useRoom(chatId).people, PEOPLE);
}
/**
 * Functions that stay the same. The room is open while the component is mounted; afterwards, as when an upload ends late, each call opens it
 * for its own time.
 */
export function useComposer(chatId) {
    const room = useRoom(chatId);
    useEffect(() => room.open(), [room]);
    return useMemo(() => ({
        send: (text) => room.whileOpen((now) => now.send(text)),
        retry: (key) => room.whileOpen((now) => now.retry(key)),
        discard: (key) => room.whileOpen((now) => now.discard(key)),
        typing: () => room.now?.typing(),
    }), [room]);
}
/** Marks the chat as read while the page is visible, and whenever a message comes then. */
export function useMarkReadWhenVisible(chatId) {
    const room = useRoom(chatId);
    useEffect(() => {
        const close = room.open();
        const mark = () => {
            if (document.visibilityState === "visible")
                room.now?.markRead();
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
function useStore(store, before) {
    const get = () => before;
    return useSyncExternalStore(store?.subscribe ?? never, store?.get ?? get, get);
}
function never() {
    return () => undefined;
}
function useRoom(chatId) {
    const client = useContext(Context);
    return useMemo(() => new MountedRoom(client, chatId), [client, chatId]);
}
/** A room as long as somebody is subscribed to it: made while a component renders, opened when it is mounted. */
class MountedRoom {
    messages = this.#store((room) => room.messages, MESSAGES);
    people = this.#store((room) => room.people, PEOPLE);
    now;
    #client;
    #chatId;
    #users = 0;
    constructor(client, chatId) {
        this.#client = client;
        this.#chatId = chatId;
    }
    /** The result closes it. */
    open() {
        this.#users++;
        this.now ??= this.#client?.room(this.#chatId);
        return () => {
            if (--this.#users > 0)
                return;
            this.now?.close();
            this.now = undefined;
        };
    }
    whileOpen(act) {
        const close = this.open();
        const result = this.now && act(this.now);
        close();
        return result;
    }
    #store(select, before) {
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
//# sourceMappingURL=index.js.map