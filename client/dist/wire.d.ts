/** What the gateway sends, in the names that the operations of the kit give it. */
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
/** A page of the history and `messageAdded` select the same fields. */
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
export interface WirePresence {
    readonly user: User;
    readonly online: boolean;
}
