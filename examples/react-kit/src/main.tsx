/** A chat on the client kit and its React hooks. */
import { ChatProvider, useConnection, useInbox } from "graphql-chat-client/react";
import { StrictMode, useState, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { ChatButton, Page } from "shared/page.tsx";
import { chatClient } from "./chat-client.ts";
import { Profile } from "./profile.tsx";
import { Room } from "./room.tsx";

function App(): ReactElement {
  const { status } = useConnection();
  // Unread counts, presence and the newest message of each chat; all of it changes by itself.
  const { chats } = useInbox();
  const [chosen, choose] = useState<string>();
  const open = chats.find(({ id }) => id === chosen) ?? chats[0];
  const list = chats.map(({ id, title, unreadCount, online, lastMessage }) => (
    <ChatButton
      key={id}
      title={title}
      unreadCount={unreadCount}
      online={online.length}
      lastText={lastMessage?.text}
      isOpen={id === open?.id}
      open={() => choose(id)}
    />
  ));
  return (
    <Page viewer={<Profile />} status={status} list={list}>
      {open && <Room key={open.id} chatId={open.id} />}
    </Page>
  );
}

createRoot(document.body).render(
  <StrictMode>
    <ChatProvider client={chatClient}>
      <App />
    </ChatProvider>
  </StrictMode>,
);
