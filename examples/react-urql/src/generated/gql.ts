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
    "\n  mutation SendMessage($chatId: ID!, $content: String!, $key: ID!) {\n    sendMessage(chatId: $chatId, content: $content, clientMessageId: $key) { id chatId ...Message }\n  }\n": typeof types.SendMessageDocument,
    "query Me { me { id name } }": typeof types.MeDocument,
    "query Chats { chats { id updatedAt ...ChatRow } }": typeof types.ChatsDocument,
    "\n  subscription ChatsChanged { chatsChanged { isSnapshot removedIds changed { id updatedAt ...ChatRow } } }\n": typeof types.ChatsChangedDocument,
    "\n  fragment ChatRow on Chat {\n    title unreadCount lastMessage { id content } participants { id name } presence { id online }\n  }\n": typeof types.ChatRowFragmentDoc,
    "subscription PresenceChanged { presenceChanged { id online } }": typeof types.PresenceChangedDocument,
    "\n  query Messages($chatId: ID!, $before: String) {\n    chat(id: $chatId) {\n      id\n      messages(last: 50, before: $before) {\n        nodes { id clientMessageId content createdAt sender { id } ...Message }\n        pageInfo { hasPreviousPage startCursor endCursor }\n      }\n    }\n  }\n": typeof types.MessagesDocument,
    "\n  fragment Message on Message {\n    id chatId content createdAt clientMessageId cursor sender { id name } readBy { id reader { id name } }\n  }\n": typeof types.MessageFragmentDoc,
    "\n  subscription MessageAdded($chatId: ID!, $after: String) {\n    messageAdded(chatId: $chatId, after: $after) { id chatId cursor ...Message }\n  }\n": typeof types.MessageAddedDocument,
    "\n  subscription ReadReceipt($chatId: ID!) { readReceipt(chatId: $chatId) { id chatId messageId reader { id name } } }\n": typeof types.ReadReceiptDocument,
    "\n  subscription TypingChanged($chatId: ID!) { typingChanged(chatId: $chatId) { id isTyping user { id name } } }\n": typeof types.TypingChangedDocument,
    "mutation SetTyping($chatId: ID!) { setTyping(chatId: $chatId, isTyping: true) { id } }": typeof types.SetTypingDocument,
    "mutation MarkRead($chatId: ID!) { markChatRead(chatId: $chatId) { id } }": typeof types.MarkReadDocument,
};
const documents: Documents = {
    "\n  mutation SendMessage($chatId: ID!, $content: String!, $key: ID!) {\n    sendMessage(chatId: $chatId, content: $content, clientMessageId: $key) { id chatId ...Message }\n  }\n": types.SendMessageDocument,
    "query Me { me { id name } }": types.MeDocument,
    "query Chats { chats { id updatedAt ...ChatRow } }": types.ChatsDocument,
    "\n  subscription ChatsChanged { chatsChanged { isSnapshot removedIds changed { id updatedAt ...ChatRow } } }\n": types.ChatsChangedDocument,
    "\n  fragment ChatRow on Chat {\n    title unreadCount lastMessage { id content } participants { id name } presence { id online }\n  }\n": types.ChatRowFragmentDoc,
    "subscription PresenceChanged { presenceChanged { id online } }": types.PresenceChangedDocument,
    "\n  query Messages($chatId: ID!, $before: String) {\n    chat(id: $chatId) {\n      id\n      messages(last: 50, before: $before) {\n        nodes { id clientMessageId content createdAt sender { id } ...Message }\n        pageInfo { hasPreviousPage startCursor endCursor }\n      }\n    }\n  }\n": types.MessagesDocument,
    "\n  fragment Message on Message {\n    id chatId content createdAt clientMessageId cursor sender { id name } readBy { id reader { id name } }\n  }\n": types.MessageFragmentDoc,
    "\n  subscription MessageAdded($chatId: ID!, $after: String) {\n    messageAdded(chatId: $chatId, after: $after) { id chatId cursor ...Message }\n  }\n": types.MessageAddedDocument,
    "\n  subscription ReadReceipt($chatId: ID!) { readReceipt(chatId: $chatId) { id chatId messageId reader { id name } } }\n": types.ReadReceiptDocument,
    "\n  subscription TypingChanged($chatId: ID!) { typingChanged(chatId: $chatId) { id isTyping user { id name } } }\n": types.TypingChangedDocument,
    "mutation SetTyping($chatId: ID!) { setTyping(chatId: $chatId, isTyping: true) { id } }": types.SetTypingDocument,
    "mutation MarkRead($chatId: ID!) { markChatRead(chatId: $chatId) { id } }": types.MarkReadDocument,
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
export function graphql(source: "\n  mutation SendMessage($chatId: ID!, $content: String!, $key: ID!) {\n    sendMessage(chatId: $chatId, content: $content, clientMessageId: $key) { id chatId ...Message }\n  }\n"): (typeof documents)["\n  mutation SendMessage($chatId: ID!, $content: String!, $key: ID!) {\n    sendMessage(chatId: $chatId, content: $content, clientMessageId: $key) { id chatId ...Message }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Me { me { id name } }"): (typeof documents)["query Me { me { id name } }"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "query Chats { chats { id updatedAt ...ChatRow } }"): (typeof documents)["query Chats { chats { id updatedAt ...ChatRow } }"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription ChatsChanged { chatsChanged { isSnapshot removedIds changed { id updatedAt ...ChatRow } } }\n"): (typeof documents)["\n  subscription ChatsChanged { chatsChanged { isSnapshot removedIds changed { id updatedAt ...ChatRow } } }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment ChatRow on Chat {\n    title unreadCount lastMessage { id content } participants { id name } presence { id online }\n  }\n"): (typeof documents)["\n  fragment ChatRow on Chat {\n    title unreadCount lastMessage { id content } participants { id name } presence { id online }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "subscription PresenceChanged { presenceChanged { id online } }"): (typeof documents)["subscription PresenceChanged { presenceChanged { id online } }"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Messages($chatId: ID!, $before: String) {\n    chat(id: $chatId) {\n      id\n      messages(last: 50, before: $before) {\n        nodes { id clientMessageId content createdAt sender { id } ...Message }\n        pageInfo { hasPreviousPage startCursor endCursor }\n      }\n    }\n  }\n"): (typeof documents)["\n  query Messages($chatId: ID!, $before: String) {\n    chat(id: $chatId) {\n      id\n      messages(last: 50, before: $before) {\n        nodes { id clientMessageId content createdAt sender { id } ...Message }\n        pageInfo { hasPreviousPage startCursor endCursor }\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment Message on Message {\n    id chatId content createdAt clientMessageId cursor sender { id name } readBy { id reader { id name } }\n  }\n"): (typeof documents)["\n  fragment Message on Message {\n    id chatId content createdAt clientMessageId cursor sender { id name } readBy { id reader { id name } }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription MessageAdded($chatId: ID!, $after: String) {\n    messageAdded(chatId: $chatId, after: $after) { id chatId cursor ...Message }\n  }\n"): (typeof documents)["\n  subscription MessageAdded($chatId: ID!, $after: String) {\n    messageAdded(chatId: $chatId, after: $after) { id chatId cursor ...Message }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription ReadReceipt($chatId: ID!) { readReceipt(chatId: $chatId) { id chatId messageId reader { id name } } }\n"): (typeof documents)["\n  subscription ReadReceipt($chatId: ID!) { readReceipt(chatId: $chatId) { id chatId messageId reader { id name } } }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription TypingChanged($chatId: ID!) { typingChanged(chatId: $chatId) { id isTyping user { id name } } }\n"): (typeof documents)["\n  subscription TypingChanged($chatId: ID!) { typingChanged(chatId: $chatId) { id isTyping user { id name } } }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation SetTyping($chatId: ID!) { setTyping(chatId: $chatId, isTyping: true) { id } }"): (typeof documents)["mutation SetTyping($chatId: ID!) { setTyping(chatId: $chatId, isTyping: true) { id } }"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "mutation MarkRead($chatId: ID!) { markChatRead(chatId: $chatId) { id } }"): (typeof documents)["mutation MarkRead($chatId: ID!) { markChatRead(chatId: $chatId) { id } }"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;