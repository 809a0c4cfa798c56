/** A chat with urql: its normalised cache has everything that is shown. */
import { Provider, useQuery } from "urql";
import { StrictMode, useState, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { client, useConnection, useLive, useOutbox } from "./client.ts";
import { graphql, unmask, type FragmentType } from "./generated/index.ts";
import { Room } from "./room.tsx";
import "./style.css";

const ME = graphql(`query Me { me { id name } }`);
const CHATS = graphql(`query Chats { chats { id updatedAt ...ChatRow } }`);
const CHATS_CHANGED = graphql(`
  subscription ChatsChanged { chatsChanged { isSnapshot removedIds changed { id updatedAt ...ChatRow } } }
`);
const CHAT_ROW = graphql(`
  fragment ChatRow on Chat {
    title unreadCount lastMessage { id content } participants { id name } presence { id online }
  }
`);
const PRESENCE_CHANGED = graphql(`subscription PresenceChanged { presenceChanged { id online } }`);

function App(): ReactElement {
  const [{ data: viewer }] = useQuery({ query: ME });
  // The subscription begins with the whole list.
  const [{ data }] = useQuery({ query: CHATS, requestPolicy: "cache-only" });
  const [chosen, choose] = useState<string>();
  const outbox = useOutbox();
  const { status } = useConnection();
  // The cache changes what is shown: the list of chats, and the one presence of each person.
  useLive(CHATS_CHANGED, {});
  useLive(PRESENCE_CHANGED, {});
  const me = viewer?.me;
  const chats = (data?.chats ?? []).toSorted((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1));
  const open = chats.find(({ id }) => id === chosen) ?? chats[0];
  return (
    <>
      <header>
        <b>{me?.name}</b>
        <span role="status">{status}</span>
      </header>
      <nav aria-label="Chats">
        {chats.map((chat) => (
          <button type="button" key={chat.id} aria-current={chat === open} onClick={() => choose(chat.id)}>
            <ChatRow chat={chat} me={me?.id} />
          </button>
        ))}
      </nav>
      {me && open && <Room key={open.id} chatId={open.id} me={me.id} outbox={outbox} />}
    </>
  );
}

function ChatRow({ chat, me }: { readonly chat: FragmentType<typeof CHAT_ROW>; readonly me?: string }): ReactElement {
  const { title, participants, unreadCount, presence, lastMessage } = unmask(CHAT_ROW, chat);
  const others = participants.filter(({ id }) => id !== me);
  return (
    <>
      {title ?? others.map(({ name }) => name).join(", ")} {unreadCount > 0 && <mark>{unreadCount} unread</mark>}
      <br />
      <small>
        {presence.filter(({ online }) => online).length} online. {lastMessage?.content}
      </small>
    </>
  );
}

createRoot(document.body).render(
  <StrictMode>
    <Provider value={client}>
      <App />
    </Provider>
  </StrictMode>,
);
