import type { Client } from "graphql-ws";
import type { Store } from "./store.ts";

/** What a token may be; nothing where nobody is signed in. */
export type Token = string | null | undefined;

/** `localStorage`, `sessionStorage`, or anything of that form that answers at once. */
export interface ChatStorage {
  getItem(key: string): string | null | undefined;
  setItem(key: string, value: string): void;
}

export interface ChatClientOptions {
  /** The gateway's endpoint: `https://chat.example.com/graphql`, or the same with `wss:`. */
  readonly url: string;
  /** Asked at every connect and before the token expires (where it is a JWT), so that a session goes on with a fresh one. */
  readonly token: Token | (() => Token | Promise<Token>);
  /** Different for every tab and device, at most 128 characters. */
  readonly clientId?: string;
  /** Called once, when the gateway has refused the token and `token` has no other. The client does not connect any more: make a new one. */
  readonly onSignedOut?: () => void;
  /** Where messages that are not sent yet survive a reload. */
  readonly storage?: ChatStorage;
}

/**
 * - `connecting`: not connected yet.
 * - `catching-up`: connected; what was missed is being delivered.
 * - `live`: everything is up to date.
 * - `reconnecting`: the connection has been lost for more than 5 s.
 * - `offline`: the device says that it has no network.
 * - `signed-out`: the gateway refuses the token, and there is no other.
 */
export type ConnectionStatus = "connecting" | "catching-up" | "live" | "reconnecting" | "offline" | "signed-out";

export interface ConnectionState {
  readonly status: ConnectionStatus;
  /** Since when, in ms since 1970. */
  readonly since: number;
  /** When the next attempt to connect is due, in ms since 1970. */
  readonly retryAt?: number | undefined;
}

export interface User {
  readonly id: string;
  readonly name: string;
}

export interface BriefMessage {
  readonly id: string;
  readonly text: string;
  readonly sender: User;
  readonly at: Date;
  readonly mine: boolean;
}

export interface InboxChat {
  readonly id: string;
  /** The chat's title, or the names of the others. */
  readonly title: string;
  readonly participants: readonly User[];
  /** Those of the others who are online. */
  readonly online: readonly User[];
  readonly unreadCount: number;
  readonly lastMessage?: BriefMessage | undefined;
  readonly updatedAt: Date;
}

export interface Inbox {
  /** Most recently updated first. */
  readonly chats: readonly InboxChat[];
  readonly unreadTotal: number;
  /** Whether the list has come. */
  readonly loaded: boolean;
}

export interface ShownMessage {
  /** The same for a message and the optimistic copy that it replaces; unique in its chat. */
  readonly key: string;
  /** Once the REST API has persisted it. */
  readonly id?: string | undefined;
  readonly text: string;
  readonly sender: User;
  readonly at: Date;
  readonly mine: boolean;
  readonly state: "queued" | "sending" | "sent" | "failed";
  /** Those who have read it, its sender excepted. */
  readonly readBy: readonly User[];
}

export interface Messages {
  /** In the chat's order; what is not sent yet is at the end. */
  readonly items: readonly ShownMessage[];
  readonly hasOlder: boolean;
  readonly loading: boolean;
  /** So much was missed that the history was loaded anew: what was shown before is further up, behind `loadOlder`. */
  readonly gap?: "history-reloaded" | undefined;
  /** The gateway's error code that has ended this room: `NOT_PARTICIPANT`, `NOT_FOUND`. */
  readonly error?: string | undefined;
}

export interface People {
  readonly online: readonly User[];
  readonly typing: readonly User[];
}

/** An open chat. */
export interface Room {
  readonly messages: Store<Messages>;
  /** The others. */
  readonly people: Store<People>;
  /** Resolves when the page before is there. Rejects with a `Failure` where it cannot be loaded. */
  loadOlder(): Promise<void>;
  /** Shows the message at once and sends it when it can, in order with the others of this chat. */
  send(text: string): ShownMessage;
  /** Sends a failed message again. */
  retry(key: string): void;
  /** Drops a message that is queued or failed. */
  discard(key: string): void;
  /** Call it at every key stroke. */
  typing(): void;
  /** Call it whenever the newest messages are visible. */
  markRead(): void;
  /** The room goes when everybody who opened it has closed it. What is queued is sent all the same. */
  close(): void;
}

export interface ChatClient {
  /** The graphql-ws client underneath, for operations of one's own; `resumable` makes it lossless for those. */
  readonly graphql: Client;
  readonly connection: Store<ConnectionState>;
  readonly inbox: Store<Inbox>;
  /** Opens a chat. Everybody who opens it shares one; each closes it. */
  room(chatId: string): Room;
  /** Disconnects for good. */
  close(): Promise<void>;
}
