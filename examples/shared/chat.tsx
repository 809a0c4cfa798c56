/** Components of Apollo Client and urql. Each reads a fragment of its own, which its parent does not see. */
import type { ReactElement } from "react";
import type { Status } from "./connection.ts";
import { ChatRowFragmentDoc, MessageFragmentDoc, type MessagesQuery } from "./generated/graphql.ts";
import { unmask, type FragmentType } from "./generated/index.ts";
import { isCopy, type Outbox } from "./outbox.ts";
import { ChatButton, Message, namesOf, readNote, type Person } from "./page.tsx";

export interface ChatRowProps {
  readonly chat: FragmentType<typeof ChatRowFragmentDoc>;
  readonly me: string | undefined;
  readonly isOpen: boolean;
  readonly open: () => void;
}

export function ChatRow({ chat, me, isOpen, open }: ChatRowProps): ReactElement {
  const { title, participants, unreadCount, presence, lastMessage } = unmask(ChatRowFragmentDoc, chat);
  return (
    <ChatButton
      title={title ?? namesOf(participants.filter(({ id }) => id !== me))}
      unreadCount={unreadCount}
      online={presence.filter(({ online }) => online).length}
      lastText={lastMessage?.content}
      isOpen={isOpen}
      open={open}
    />
  );
}

export interface ChatProps {
  readonly chatId: string;
  readonly me: Person;
  readonly outbox: Outbox;
  readonly status: Status;
}

export interface ChatMessagesProps extends ChatProps {
  readonly nodes: MessagesQuery["chat"]["messages"]["nodes"];
}

/** The persisted messages, and those on their way. A message may be received before the mutation that sent it is answered: it is shown once. */
export function ChatMessages({ chatId, me, outbox, nodes }: ChatMessagesProps): ReactElement {
  const unsent = outbox.unsent.filter(
    (message) => message.chatId === chatId && !nodes.some((node) => isCopy(message, node, me.id)),
  );
  return (
    <>
      {nodes.map((node) => (
        <PersistedMessage key={node.id} message={node} me={me.id} />
      ))}
      {unsent.map((message) => (
        <Message
          key={message.key}
          sender={me.name}
          text={message.content}
          note={message.isFailed ? "failed" : "sending"}
          retry={message.isFailed && (() => outbox.retry(message))}
        />
      ))}
    </>
  );
}

interface PersistedMessageProps {
  readonly message: FragmentType<typeof MessageFragmentDoc>;
  readonly me: string;
}

function PersistedMessage({ message, me }: PersistedMessageProps): ReactElement {
  const { sender, content, readBy } = unmask(MessageFragmentDoc, message);
  const readers = readBy.map(({ reader }) => reader).filter(({ id }) => id !== sender.id);
  return <Message sender={sender.name} text={content} note={sender.id === me && readNote(readers)} />;
}
