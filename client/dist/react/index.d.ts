import type { ReactElement, ReactNode } from "react";
import type { ChatClient, ConnectionState, Inbox, Messages, People, ShownMessage } from "../index.js";
/** Gives the components below the client. Without one, as on a server, they show what there is before a connection. */
export declare function ChatProvider(props: {
    readonly client?: ChatClient | undefined;
    readonly children?: ReactNode;
}): ReactElement;
export declare function useConnection(): ConnectionState;
/** The list of chats, with unread counts. */
export declare function useInbox(): Inbox;
/** The messages of a chat; `loadOlder` brings the page before. */
export declare function useMessages(chatId: string): Messages & {
    readonly loadOlder: () => Promise<void>;
};
/** Who of the others is online, and who is typing. */
export declare function usePeople(chatId: string): People;
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
export declare function useComposer(chatId: string): Composer;
/** Marks the chat as read while the page is visible, and whenever a message comes then. */
export declare function useMarkReadWhenVisible(chatId: string): void;
