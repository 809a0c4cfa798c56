/** A chat on the client kit and its React hooks. */
import { ChatProvider, useConnection, useInbox } from "graphql-chat-client/react";
import { StrictMode, useState, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { chatClient } from "./chat-client.ts";
import { ChatList } from "./chat-list.tsx";
import { Profile } from "./profile.tsx";
import { Room } from "./room.tsx";
import "./style.css";

function App(): ReactElement {
  const { status } = useConnection();
  const { chats } = useInbox();
  const [chosen, choose] = useState<string>();
  const open = chats.find(({ id }) => id === chosen) ?? chats[0];
  return (
    <>
      <header>
        <Profile />
        <span role="status">{status}</span>
      </header>
      <ChatList chats={chats} openId={open?.id} onOpen={choose} />
      {open && <Room key={open.id} chatId={open.id} />}
    </>
  );
}

createRoot(document.body).render(
  <StrictMode>
    <ChatProvider client={chatClient}>
      <App />
    </ChatProvider>
  </StrictMode>,
);
