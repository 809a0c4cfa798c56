/** What the gateway sends, and the operations that ask for it. */
import type { User } from "./types.ts";

export interface WireReceipt {
  readonly messageId?: string | null;
  readonly readAt: string;
  readonly reader: User;
}

export interface WireBrief {
  readonly id: string;
  readonly text: string;
  readonly at: string;
  readonly sender: User;
}

export interface WireMessage extends WireBrief {
  readonly clientMessageId?: string | null;
  readonly cursor: string;
  readonly readBy: readonly Pick<WireReceipt, "reader">[];
}

export interface WirePage {
  readonly nodes: readonly WireMessage[];
  readonly pageInfo: { readonly hasPreviousPage: boolean };
}

export interface WireChat {
  readonly id: string;
  readonly title?: string | null;
  readonly participants: readonly User[];
  readonly unreadCount: number;
  readonly updatedAt: string;
  readonly lastMessage?: WireBrief | null;
}

export interface WireChatsChange {
  readonly isSnapshot: boolean;
  readonly changed: readonly WireChat[];
  readonly removedIds: readonly string[];
}

const USER = "{id name}";
/** Named as the kit shows them. */
const BRIEF = `id text:content at:createdAt sender${USER}`;
const MESSAGE = `${BRIEF} clientMessageId cursor readBy{reader${USER}}`;

export const PAGE = `query($id:ID!,$last:Int!,$before:String){chat(id:$id){messages(last:$last,before:$before){nodes{${MESSAGE}}pageInfo{hasPreviousPage}}}}`;
export const MESSAGES = `subscription($id:ID!,$after:String){messageAdded(chatId:$id,after:$after){${MESSAGE}}}`;
export const RECEIPTS = `subscription($id:ID!){readReceipt(chatId:$id){messageId readAt reader${USER}}}`;
export const TYPING = `subscription($id:ID!){typingChanged(chatId:$id){isTyping user${USER}}}`;
export const PRESENCE = `subscription{presenceChanged{online user${USER}}}`;
export const CHATS = `subscription{chatsChanged{isSnapshot removedIds changed{id title participants${USER}unreadCount updatedAt lastMessage{${BRIEF}}}}}`;
export const SEND = `mutation($id:ID!,$text:String!,$key:ID!){sendMessage(chatId:$id,content:$text,clientMessageId:$key){id}}`;
export const MARK_READ = "mutation($id:ID!){markChatRead(chatId:$id){readAt}}";
export const SET_TYPING = "mutation($id:ID!){setTyping(chatId:$id,isTyping:true){isTyping}}";
export const REFRESH = "mutation($token:String!){refreshToken(token:$token){id}}";
