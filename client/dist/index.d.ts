/** A chat client for graphql-chat-gateway that loses nothing, whatever becomes of its connection. */
export { createChatClient } from "./client.js";
export { Failure } from "./failure.js";
export { resumable } from "./resumable.js";
export type { Store } from "./store.js";
export type { ChatClient, ChatClientOptions, ChatStorage, ConnectionState, ConnectionStatus, BriefMessage, Inbox, InboxChat, Messages, People, Room, ShownMessage, Token, User, } from "./types.js";
