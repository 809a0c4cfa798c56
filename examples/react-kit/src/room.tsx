import { useComposer, useMarkReadWhenVisible, useMessages, usePeople } from "graphql-chat-client/react";
import type { ReactElement } from "react";
import { Message, readNote, RoomPage } from "shared/page.tsx";

/** An open chat: live messages, history, who types, and a field for a new message. */
export function Room({ chatId }: { readonly chatId: string }): ReactElement {
  const { items, hasOlder, loading, loadOlder } = useMessages(chatId);
  const { typing } = usePeople(chatId);
  const { send, typing: type, retry } = useComposer(chatId);
  useMarkReadWhenVisible(chatId);
  return (
    <RoomPage loadOlder={hasOlder && loadOlder} isLoading={loading} typing={typing} send={send} type={type}>
      {items.map(({ key, sender, text, mine, state, readBy }) => (
        <Message
          key={key}
          sender={sender.name}
          text={text}
          note={mine && (state === "sent" ? readNote(readBy) : state)}
          retry={state === "failed" && (() => retry(key))}
        />
      ))}
    </RoomPage>
  );
}
