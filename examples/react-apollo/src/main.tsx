/** A chat with Apollo Client: its normalised cache has everything that is shown. */
import { ApolloProvider, useQuery } from "@apollo/client/react";
import { StrictMode, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { ChatRow } from "shared/chat.tsx";
import { useStatus } from "shared/connection.ts";
import * as graphql from "shared/generated/graphql.ts";
import { useOpenChat } from "shared/hooks.ts";
import { Page } from "shared/page.tsx";
import { client, connection, useLive } from "./client.ts";
import { Chat, useMessageOutbox } from "./chat.tsx";

function App(): ReactElement {
  const me = useQuery(graphql.MeDocument).data?.me;
  // The subscription begins with the whole list.
  const { data } = useQuery(graphql.ChatsDocument, { fetchPolicy: "cache-only" });
  const outbox = useMessageOutbox();
  const status = useStatus(connection);
  const { chats, open, choose } = useOpenChat(data?.chats);
  // The cache has one presence of each person, wherever it is shown.
  useLive(graphql.PresenceChangedDocument, {});
  useLive(graphql.ChatsChangedDocument, {}, ({ chatsChanged: { isSnapshot, removedIds, changed } }) => {
    const replaced = new Set([...removedIds, ...changed.map(({ id }) => id)]);
    client.cache.updateQuery({ query: graphql.ChatsDocument }, (known) => ({
      chats: [...changed, ...(isSnapshot ? [] : (known?.chats ?? []).filter(({ id }) => !replaced.has(id)))],
    }));
  });
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
    <ApolloProvider client={client}>
      <App />
    </ApolloProvider>
  </StrictMode>,
);
