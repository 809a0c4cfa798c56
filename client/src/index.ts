/** A chat client for graphql-chat-gateway that loses nothing, whatever becomes of its connection. */
export { createChatClient } from "./client.ts";
export { Failure } from "./failure.ts";
export { resumable } from "./resumable.ts";
export type { Store } from "./store.ts";
export type {
  ChatClient,
  ChatClientOptions,
  ChatStorage,
  ConnectionState,
  ConnectionStatus,
  BriefMessage,
  Inbox,
  InboxChat,
  Messages,
  People,
  Room,
  ShownMessage,
  Token,
  User,
} from "./types.ts";
