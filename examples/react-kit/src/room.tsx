import type { ShownMessage } from "graphql-chat-client";
import { useComposer, useMarkReadWhenVisible, useMessages, usePeople } from "graphql-chat-client/react";
import { useState, type ChangeEvent, type ReactElement, type SubmitEvent } from "react";

/** An open chat: live messages, history, who types, and a field for a new message. */
export function Room({ chatId }: { readonly chatId: string }): ReactElement {
  const { items, hasOlder, loading, loadOlder } = useMessages(chatId);
  const { typing } = usePeople(chatId);
  const composer = useComposer(chatId);
  const [text, setText] = useState("");
  useMarkReadWhenVisible(chatId);
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    if (text.trim() !== "") composer.send(text);
    setText("");
  };
  const type = (event: ChangeEvent<HTMLInputElement>): void => {
    setText(event.target.value);
    composer.typing();
  };
  return (
    <main>
      <div role="log" aria-label="Messages" aria-busy={loading}>
        <ol>
          {hasOlder && (
            <button type="button" disabled={loading} onClick={() => void loadOlder()}>
              Older messages
            </button>
          )}
          {items.map((message) => (
            <Message key={message.key} message={message} retry={composer.retry} />
          ))}
        </ol>
      </div>
      <p role="note">{typing.length > 0 && `${typing.map(({ name }) => name).join(", ")} typing …`}</p>
      <form onSubmit={submit}>
        <input aria-label="Message" autoComplete="off" value={text} onChange={type} />
        <button type="submit">Send</button>
      </form>
    </main>
  );
}

interface MessageProps {
  readonly message: ShownMessage;
  readonly retry: (key: string) => void;
}

function Message({ message: { key, sender, text, mine, state, readBy }, retry }: MessageProps): ReactElement {
  const readers = readBy.map(({ name }) => name).join(", ");
  return (
    <li>
      <b>{sender.name}</b> <span className="text">{text}</span>{" "}
      {mine && <small>{state === "sent" && readers ? `read by ${readers}` : state}</small>}
      {state === "failed" && (
        <button type="button" onClick={() => retry(key)}>
          Retry
        </button>
      )}
    </li>
  );
}
