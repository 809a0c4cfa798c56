/* eslint-disable */
import * as types from './graphql.ts';
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';

/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "query Chats {\n  chats {\n    ...ChatFields\n  }\n}\n\nsubscription ChatsChanged {\n  chatsChanged {\n    isSnapshot\n    changed {\n      ...ChatFields\n    }\n    removedIds\n  }\n}\n\nquery Chat($id: ID!, $last: Int! = 50) {\n  chat(id: $id) {\n    ...ChatFields\n    presence {\n      ...PresenceFields\n    }\n    messages(last: $last) {\n      ...MessagePage\n    }\n  }\n}\n\nquery ChatHistory($id: ID!, $before: String!, $last: Int! = 50) {\n  chat(id: $id) {\n    id\n    messages(last: $last, before: $before) {\n      ...MessagePage\n    }\n  }\n}\n\nfragment MessagePage on MessageConnection {\n  nodes {\n    ...MessageFields\n  }\n  pageInfo {\n    hasPreviousPage\n    startCursor\n    endCursor\n  }\n}": typeof types.ChatsDocument,
    "fragment UserFields on User {\n  id\n  name\n}\n\nfragment MessageFields on Message {\n  id\n  chatId\n  sender {\n    ...UserFields\n  }\n  content\n  createdAt\n  readAt\n  clientMessageId\n  cursor\n}\n\nfragment ReadReceiptFields on ReadReceipt {\n  id\n  chatId\n  messageId\n  reader {\n    ...UserFields\n  }\n  readAt\n}\n\nfragment TypingFields on TypingChange {\n  id\n  chatId\n  user {\n    ...UserFields\n  }\n  isTyping\n}\n\nfragment PresenceFields on Presence {\n  id\n  user {\n    ...UserFields\n  }\n  online\n  lastSeenAt\n}\n\nfragment ChatFields on Chat {\n  id\n  title\n  participants {\n    ...UserFields\n  }\n  lastMessage {\n    ...MessageFields\n  }\n  unreadCount\n  createdAt\n  updatedAt\n}": typeof types.UserFieldsFragmentDoc,
    "query Me {\n  me {\n    id\n    name\n    email\n    role\n  }\n}": typeof types.MeDocument,
    "mutation SendMessage($chatId: ID!, $content: String!, $clientMessageId: ID) {\n  sendMessage(\n    chatId: $chatId\n    content: $content\n    clientMessageId: $clientMessageId\n  ) {\n    ...MessageFields\n  }\n}\n\nsubscription MessageAdded($chatId: ID, $after: String) {\n  messageAdded(chatId: $chatId, after: $after) {\n    ...MessageFields\n  }\n}": typeof types.SendMessageDocument,
    "subscription PresenceChanged($chatId: ID) {\n  presenceChanged(chatId: $chatId) {\n    ...PresenceFields\n  }\n}": typeof types.PresenceChangedDocument,
    "mutation MarkRead($chatId: ID!, $messageId: ID!) {\n  markRead(chatId: $chatId, messageId: $messageId) {\n    ...ReadReceiptFields\n  }\n}\n\nmutation MarkChatRead($chatId: ID!) {\n  markChatRead(chatId: $chatId) {\n    ...ReadReceiptFields\n  }\n}\n\nsubscription ReadReceipt($chatId: ID) {\n  readReceipt(chatId: $chatId) {\n    ...ReadReceiptFields\n  }\n}": typeof types.MarkReadDocument,
    "mutation SetTyping($chatId: ID!, $isTyping: Boolean!) {\n  setTyping(chatId: $chatId, isTyping: $isTyping) {\n    ...TypingFields\n  }\n}\n\nsubscription TypingChanged($chatId: ID) {\n  typingChanged(chatId: $chatId) {\n    ...TypingFields\n  }\n}": typeof types.SetTypingDocument,
};
const documents: Documents = {
    "query Chats {\n  chats {\n    ...ChatFields\n  }\n}\n\nsubscription ChatsChanged {\n  chatsChanged {\n    isSnapshot\n    changed {\n      ...ChatFields\n    }\n    removedIds\n  }\n}\n\nquery Chat($id: ID!, $last: Int! = 50) {\n  chat(id: $id) {\n    ...ChatFields\n    presence {\n      ...PresenceFields\n    }\n    messages(last: $last) {\n      ...MessagePage\n    }\n  }\n}\n\nquery ChatHistory($id: ID!, $before: String!, $last: Int! = 50) {\n  chat(id: $id) {\n    id\n    messages(last: $last, before: $before) {\n      ...MessagePage\n    }\n  }\n}\n\nfragment MessagePage on MessageConnection {\n  nodes {\n    ...MessageFields\n  }\n  pageInfo {\n    hasPreviousPage\n    startCursor\n    endCursor\n  }\n}": types.ChatsDocument,
    "fragment UserFields on User {\n  id\n  name\n}\n\nfragment MessageFields on Message {\n  id\n  chatId\n  sender {\n    ...UserFields\n  }\n  content\n  createdAt\n  readAt\n  clientMessageId\n  cursor\n}\n\nfragment ReadReceiptFields on ReadReceipt {\n  id\n  chatId\n  messageId\n  reader {\n    ...UserFields\n  }\n  readAt\n}\n\nfragment TypingFields on TypingChange {\n  id\n  chatId\n  user {\n    ...UserFields\n  }\n  isTyping\n}\n\nfragment PresenceFields on Presence {\n  id\n  user {\n    ...UserFields\n  }\n  online\n  lastSeenAt\n}\n\nfragment ChatFields on Chat {\n  id\n  title\n  participants {\n    ...UserFields\n  }\n  lastMessage {\n    ...MessageFields\n  }\n  unreadCount\n  createdAt\n  updatedAt\n}": types.UserFieldsFragmentDoc,
    "query Me {\n  me {\n    id\n    name\n    email\n    role\n  }\n}": types.MeDocument,
    "mutation SendMessage($chatId: ID!, $content: String!, $clientMessageId: ID) {\n  sendMessage(\n    chatId: $chatId\n    content: $content\n    clientMessageId: $clientMessageId\n  ) {\n    ...MessageFields\n  }\n}\n\nsubscription MessageAdded($chatId: ID, $after: String) {\n  messageAdded(chatId: $chatId, after: $after) {\n    ...MessageFields\n  }\n}": types.SendMessageDocument,
    "subscription PresenceChanged($chatId: ID) {\n  presenceChanged(chatId: $chatId) {\n    ...PresenceFields\n  }\n}": types.PresenceChangedDocument,
    "mutation MarkRead($chatId: ID!, $messageId: ID!) {\n  markRead(chatId: $chatId, messageId: $messageId) {\n    ...ReadReceiptFields\n  }\n}\n\nmutation MarkChatRead($chatId: ID!) {\n  markChatRead(chatId: $chatId) {\n    ...ReadReceiptFields\n  }\n}\n\nsubscription ReadReceipt($chatId: ID) {\n  readReceipt(chatId: $chatId) {\n    ...ReadReceiptFields\n  }\n}": types.MarkReadDocument,
    "mutation SetTyping($chatId: ID!, $isTyping: Boolean!) {\n  setTyping(chatId: $chatId, isTyping: $isTyping) {\n    ...TypingFields\n  }\n}\n\nsubscription TypingChanged($chatId: ID) {\n  typingChanged(chatId: $chatId) {\n    ...TypingFields\n  }\n}": types.SetTypingDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 *
 *
 * @example
 * ```ts
 * const query = graphql(`query GetUser($id: ID!) { user(id: $id) { name } }`);
 * ```
 *
 * The query argument is unknown!
 * Please regenerate the types.
 */
export function graphql(source: string): unknown;

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Chats {\n  chats {\n    ...ChatFields\n  }\n}\n\nsubscription ChatsChanged {\n  chatsChanged {\n    isSnapshot\n    changed {\n      ...ChatFields\n    }\n    removedIds\n  }\n}\n\nquery Chat($id: ID!, $last: Int! = 50) {\n  chat(id: $id) {\n    ...ChatFields\n    presence {\n      ...PresenceFields\n    }\n    messages(last: $last) {\n      ...MessagePage\n    }\n  }\n}\n\nquery ChatHistory($id: ID!, $before: String!, $last: Int! = 50) {\n  chat(id: $id) {\n    id\n    messages(last: $last, before: $before) {\n      ...MessagePage\n    }\n  }\n}\n\nfragment MessagePage on MessageConnection {\n  nodes {\n    ...MessageFields\n  }\n  pageInfo {\n    hasPreviousPage\n    startCursor\n    endCursor\n  }\n}"): (typeof documents)["query Chats {\n  chats {\n    ...ChatFields\n  }\n}\n\nsubscription ChatsChanged {\n  chatsChanged {\n    isSnapshot\n    changed {\n      ...ChatFields\n    }\n    removedIds\n  }\n}\n\nquery Chat($id: ID!, $last: Int! = 50) {\n  chat(id: $id) {\n    ...ChatFields\n    presence {\n      ...PresenceFields\n    }\n    messages(last: $last) {\n      ...MessagePage\n    }\n  }\n}\n\nquery ChatHistory($id: ID!, $before: String!, $last: Int! = 50) {\n  chat(id: $id) {\n    id\n    messages(last: $last, before: $before) {\n      ...MessagePage\n    }\n  }\n}\n\nfragment MessagePage on MessageConnection {\n  nodes {\n    ...MessageFields\n  }\n  pageInfo {\n    hasPreviousPage\n    startCursor\n    endCursor\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "fragment UserFields on User {\n  id\n  name\n}\n\nfragment MessageFields on Message {\n  id\n  chatId\n  sender {\n    ...UserFields\n  }\n  content\n  createdAt\n  readAt\n  clientMessageId\n  cursor\n}\n\nfragment ReadReceiptFields on ReadReceipt {\n  id\n  chatId\n  messageId\n  reader {\n    ...UserFields\n  }\n  readAt\n}\n\nfragment TypingFields on TypingChange {\n  id\n  chatId\n  user {\n    ...UserFields\n  }\n  isTyping\n}\n\nfragment PresenceFields on Presence {\n  id\n  user {\n    ...UserFields\n  }\n  online\n  lastSeenAt\n}\n\nfragment ChatFields on Chat {\n  id\n  title\n  participants {\n    ...UserFields\n  }\n  lastMessage {\n    ...MessageFields\n  }\n  unreadCount\n  createdAt\n  updatedAt\n}"): (typeof documents)["fragment UserFields on User {\n  id\n  name\n}\n\nfragment MessageFields on Message {\n  id\n  chatId\n  sender {\n    ...UserFields\n  }\n  content\n  createdAt\n  readAt\n  clientMessageId\n  cursor\n}\n\nfragment ReadReceiptFields on ReadReceipt {\n  id\n  chatId\n  messageId\n  reader {\n    ...UserFields\n  }\n  readAt\n}\n\nfragment TypingFields on TypingChange {\n  id\n  chatId\n  user {\n    ...UserFields\n  }\n  isTyping\n}\n\nfragment PresenceFields on Presence {\n  id\n  user {\n    ...UserFields\n  }\n  online\n  lastSeenAt\n}\n\nfragment ChatFields on Chat {\n  id\n  title\n  participants {\n    ...UserFields\n  }\n  lastMessage {\n    ...MessageFields\n  }\n  unreadCount\n  createdAt\n  updatedAt\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Me {\n  me {\n    id\n    name\n    email\n    role\n  }\n}"): (typeof documents)["query Me {\n  me {\n    id\n    name\n    email\n    role\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation SendMessage($chatId: ID!, $content: String!, $clientMessageId: ID) {\n  sendMessage(\n    chatId: $chatId\n    content: $content\n    clientMessageId: $clientMessageId\n  ) {\n    ...MessageFields\n  }\n}\n\nsubscription MessageAdded($chatId: ID, $after: String) {\n  messageAdded(chatId: $chatId, after: $after) {\n    ...MessageFields\n  }\n}"): (typeof documents)["mutation SendMessage($chatId: ID!, $content: String!, $clientMessageId: ID) {\n  sendMessage(\n    chatId: $chatId\n    content: $content\n    clientMessageId: $clientMessageId\n  ) {\n    ...MessageFields\n  }\n}\n\nsubscription MessageAdded($chatId: ID, $after: String) {\n  messageAdded(chatId: $chatId, after: $after) {\n    ...MessageFields\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "subscription PresenceChanged($chatId: ID) {\n  presenceChanged(chatId: $chatId) {\n    ...PresenceFields\n  }\n}"): (typeof documents)["subscription PresenceChanged($chatId: ID) {\n  presenceChanged(chatId: $chatId) {\n    ...PresenceFields\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation MarkRead($chatId: ID!, $messageId: ID!) {\n  markRead(chatId: $chatId, messageId: $messageId) {\n    ...ReadReceiptFields\n  }\n}\n\nmutation MarkChatRead($chatId: ID!) {\n  markChatRead(chatId: $chatId) {\n    ...ReadReceiptFields\n  }\n}\n\nsubscription ReadReceipt($chatId: ID) {\n  readReceipt(chatId: $chatId) {\n    ...ReadReceiptFields\n  }\n}"): (typeof documents)["mutation MarkRead($chatId: ID!, $messageId: ID!) {\n  markRead(chatId: $chatId, messageId: $messageId) {\n    ...ReadReceiptFields\n  }\n}\n\nmutation MarkChatRead($chatId: ID!) {\n  markChatRead(chatId: $chatId) {\n    ...ReadReceiptFields\n  }\n}\n\nsubscription ReadReceipt($chatId: ID) {\n  readReceipt(chatId: $chatId) {\n    ...ReadReceiptFields\n  }\n}"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation SetTyping($chatId: ID!, $isTyping: Boolean!) {\n  setTyping(chatId: $chatId, isTyping: $isTyping) {\n    ...TypingFields\n  }\n}\n\nsubscription TypingChanged($chatId: ID) {\n  typingChanged(chatId: $chatId) {\n    ...TypingFields\n  }\n}"): (typeof documents)["mutation SetTyping($chatId: ID!, $isTyping: Boolean!) {\n  setTyping(chatId: $chatId, isTyping: $isTyping) {\n    ...TypingFields\n  }\n}\n\nsubscription TypingChanged($chatId: ID) {\n  typingChanged(chatId: $chatId) {\n    ...TypingFields\n  }\n}"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;