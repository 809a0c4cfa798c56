/** What the gateway sends, and the operations that ask for it. */
import type { User } from "./types.js";
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
    readonly pageInfo: {
        readonly hasPreviousPage: boolean;
    };
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
export declare const PAGE = "query($id:ID!,$last:Int!,$before:String){chat(id:$id){messages(last:$last,before:$before){nodes{id text:content at:createdAt sender{id name} clientMessageId cursor readBy{reader{id name}}}pageInfo{hasPreviousPage}}}}";
export declare const MESSAGES = "subscription($id:ID!,$after:String){messageAdded(chatId:$id,after:$after){id text:content at:createdAt sender{id name} clientMessageId cursor readBy{reader{id name}}}}";
export declare const RECEIPTS = "subscription($id:ID!){readReceipt(chatId:$id){messageId readAt reader{id name}}}";
export declare const TYPING = "subscription($id:ID!){typingChanged(chatId:$id){isTyping user{id name}}}";
export declare const PRESENCE = "subscription{presenceChanged{online user{id name}}}";
export declare const CHATS = "subscription{chatsChanged{isSnapshot removedIds changed{id title participants{id name}unreadCount updatedAt lastMessage{id text:content at:createdAt sender{id name}}}}}";
export declare const SEND = "mutation($id:ID!,$text:String!,$key:ID!){sendMessage(chatId:$id,content:$text,clientMessageId:$key){id}}";
export declare const MARK_READ = "mutation($id:ID!){markChatRead(chatId:$id){readAt}}";
export declare const SET_TYPING = "mutation($id:ID!){setTyping(chatId:$id,isTyping:true){isTyping}}";
export declare const REFRESH = "mutation($token:String!){refreshToken(token:$token){id}}";
