import { useQuery } from "@apollo/client/react";
import type { ReactElement } from "react";
import { ChatMessages, type ChatProps } from "shared/chat.tsx";
import * as graphql from "shared/generated/graphql.ts";
import { useMarkRead, useRetry, useTyping } from "shared/hooks.ts";
import { useOutbox, type Outbox } from "shared/outbox.ts";
import { RoomPage } from "shared/page.tsx";
import { addMessage, addReceipt } from "./cache.ts";
import { client, useLive } from "./client.ts";

/** For what nobody misses. */
function ignore(): void {}

export function useMessageOutbox(): Outbox {
  return useOutbox(async ({ chatId, content, key }) => {
    const { data } = await client.mutate({
      mutation: graphql.SendMessageDocument,
      variables: { chatId, content, key },
    });
    if (data) addMessage(data.sendMessage);
  });
}

export function Chat(props: ChatProps): ReactElement {
  const { chatId, outbox, status } = props;
  const { data, error, fetchMore, refetch } = useQuery(graphql.MessagesDocument, { variables: { chatId } });
  const { nodes = [], pageInfo } = data?.chat.messages ?? {};
  const [typing, changeTyping] = useTyping(status);
  useRetry(error, () => refetch().catch(ignore));
  // Behind the page: nothing between the two is missed, nor what comes while the connection is lost.
  const from = pageInfo && { chatId, after: pageInfo.endCursor ?? null };
  useLive(graphql.MessageAddedDocument, from, ({ messageAdded }) => addMessage(messageAdded));
  useLive(graphql.ReadReceiptDocument, { chatId }, ({ readReceipt }) => addReceipt(readReceipt));
  useLive(graphql.TypingChangedDocument, { chatId }, ({ typingChanged }) => changeTyping(typingChanged));
  const markRead = (): unknown =>
    client.mutate({ mutation: graphql.MarkReadDocument, variables: { chatId } }).catch(ignore);
  const type = (): unknown =>
    client.mutate({ mutation: graphql.SetTypingDocument, variables: { chatId } }).catch(ignore);
  const loadOlder = (): unknown => fetchMore({ variables: { before: pageInfo?.startCursor } }).catch(ignore);
  const send = (text: string): void => outbox.send(chatId, text);
  useMarkRead(nodes.at(-1)?.id, markRead);
  return (
    <RoomPage loadOlder={pageInfo?.hasPreviousPage && loadOlder} typing={typing} send={send} type={type}>
      <ChatMessages {...props} nodes={nodes} />
    </RoomPage>
  );
}
