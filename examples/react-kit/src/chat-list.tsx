import type { InboxChat } from "graphql-chat-client";
import type { ReactElement } from "react";

export interface ChatListProps {
  readonly chats: readonly InboxChat[];
  readonly openId: string | undefined;
  readonly onOpen: (chatId: string) => void;
}

/** Unread counts, presence and the newest message of each chat; all of it changes by itself. */
export function ChatList({ chats, openId, onOpen }: ChatListProps): ReactElement {
  return (
    <nav aria-label="Chats">
      {chats.map(({ id, title, unreadCount, online, lastMessage }) => (
        <button type="button" key={id} aria-current={id === openId} onClick={() => onOpen(id)}>
          {title} {unreadCount > 0 && <mark>{unreadCount} unread</mark>}
          <br />
          <small>
            {online.length} online. {lastMessage?.text}
          </small>
        </button>
      ))}
    </nav>
  );
}
