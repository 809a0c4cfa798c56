import { useEffect, type ReactElement } from "react";
import { ChatMessages, type ChatProps } from "shared/chat.tsx";
import * as graphql from "shared/generated/graphql.ts";
import { useMarkRead, useRetry, useTyping } from "shared/hooks.ts";
import { useOutbox, type Outbox } from "shared/outbox.ts";
import { RoomPage } from "shared/page.tsx";
import { useQuery } from "urql";
import { client, connection, load, useLive } from "./client.ts";

export function useMessageOutbox(): Outbox {
  return useOutbox(async ({ chatId, content, key }) => {
    const { error } = await client.mutation(graphql.SendMessageDocument, { chatId, content, key });
    if (error) throw error;
  });
}

export function Chat(props: ChatProps): ReactElement {
  const { chatId, outbox, status } = props;
  const [{ data, error }, query] = useQuery({ query: graphql.MessagesDocument, variables: { chatId } });
  const { nodes = [], pageInfo } = data?.chat.messages ?? {};
  const [typing, changeTyping] = useTyping(status);
  useRetry(error, () => query({ requestPolicy: "network-only" }));
  useEffect(() => {
    const reload = (): Promise<unknown> => load(chatId);
    connection.loaders.add(reload);
    return () => void connection.loaders.delete(reload);
  }, [chatId]);
  // Behind the page: nothing between the two is missed, nor what comes while the connection is lost.
  useLive(graphql.MessageAddedDocument, pageInfo && { chatId, after: pageInfo.endCursor ?? null });
  useLive(graphql.ReadReceiptDocument, { chatId });
  const change = useLive(graphql.TypingChangedDocument, { chatId })?.typingChanged;
  useEffect(() => {
    if (change) changeTyping(change);
  }, [change, changeTyping]);
  const markRead = (): unknown => client.mutation(graphql.MarkReadDocument, { chatId }).toPromise();
  const type = (): unknown => client.mutation(graphql.SetTypingDocument, { chatId }).toPromise();
  const loadOlder = (): unknown => load(chatId, pageInfo?.startCursor);
  const send = (text: string): void => outbox.send(chatId, text);
  useMarkRead(nodes.at(-1)?.id, markRead);
  return (
    <RoomPage loadOlder={pageInfo?.hasPreviousPage && loadOlder} typing={typing} send={send} type={type}>
      <ChatMessages {...props} nodes={nodes} />
    </RoomPage>
  );
}
