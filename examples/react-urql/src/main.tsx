/** A chat with urql: its normalised cache has everything that is shown. */
import { StrictMode, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { ChatRow } from "shared/chat.tsx";
import { useStatus } from "shared/connection.ts";
import * as graphql from "shared/generated/graphql.ts";
import { useOpenChat } from "shared/hooks.ts";
import { Page } from "shared/page.tsx";
import { Provider, useQuery } from "urql";
import { client, connection, useLive } from "./client.ts";
import { Chat, useMessageOutbox } from "./chat.tsx";

function App(): ReactElement {
  const [{ data: viewer }] = useQuery({ query: graphql.MeDocument });
  // The subscription begins with the whole list.
  const [{ data }] = useQuery({ query: graphql.ChatsDocument, requestPolicy: "cache-only" });
  const outbox = useMessageOutbox();
  const status = useStatus(connection);
  const { chats, open, choose } = useOpenChat(data?.chats);
  // The cache changes what is shown: the list of chats, and the one presence of each person.
  useLive(graphql.ChatsChangedDocument, {});
  useLive(graphql.PresenceChangedDocument, {});
  const me = viewer?.me;
  const list = chats.map((chat) => (
    <ChatRow key={chat.id} chat={chat} me={me?.id} isOpen={chat === open} open={() => choose(chat.id)} />
  ));
  return (
    <Page viewer={me?.name} status={status} list={list}>
      {me && open && <Chat key={open.id} chatId={open.id} me={me} outbox={outbox} status={status} />}
    </Page>
  );
}

createRoot(document.body).render(
  <StrictMode>
    <Provider value={client}>
      <App />
    </Provider>
  </StrictMode>,
);
