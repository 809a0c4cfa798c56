import { useQuery } from "urql";
import { useCallback, useEffect, useRef, useState, type ChangeEvent, type ReactElement, type SubmitEvent } from "react";
import { client, useConnection, useLive, type Outbox, type Unsent } from "./client.ts";
import type { MessagesQuery } from "./generated/graphql.ts";
import { graphql, unmask, type FragmentType } from "./generated/index.ts";

const MESSAGES = graphql(`
  query Messages($chatId: ID!, $before: String) {
    chat(id: $chatId) {
      id
      messages(last: 50, before: $before) {
        nodes { id clientMessageId content createdAt sender { id } ...Message }
        pageInfo { hasPreviousPage startCursor endCursor }
      }
    }
  }
`);
const MESSAGE = graphql(`
  fragment Message on Message {
    id chatId content createdAt clientMessageId cursor sender { id name } readBy { id reader { id name } }
  }
`);
const MESSAGE_ADDED = graphql(`
  subscription MessageAdded($chatId: ID!, $after: String) {
    messageAdded(chatId: $chatId, after: $after) { id chatId cursor ...Message }
  }
`);
const READ_RECEIPT = graphql(`
  subscription ReadReceipt($chatId: ID!) { readReceipt(chatId: $chatId) { id chatId messageId reader { id name } } }
`);
const TYPING_CHANGED = graphql(`
  subscription TypingChanged($chatId: ID!) { typingChanged(chatId: $chatId) { id isTyping user { id name } } }
`);
const SET_TYPING = graphql(`mutation SetTyping($chatId: ID!) { setTyping(chatId: $chatId, isTyping: true) { id } }`);
const MARK_READ = graphql(`mutation MarkRead($chatId: ID!) { markChatRead(chatId: $chatId) { id } }`);

export interface RoomProps {
  readonly chatId: string;
  readonly me: string;
  readonly outbox: Outbox;
}

export function Room({ chatId, me, outbox }: RoomProps): ReactElement {
  const { status, starts } = useConnection();
  const [{ data }] = useQuery({ query: MESSAGES, variables: { chatId } });
  const { nodes = [], pageInfo } = data?.chat.messages ?? {};
  const newest = nodes.at(-1)?.id;
  const load = useCallback(
    (before?: string | null) =>
      client.query(MESSAGES, { chatId, before }, { requestPolicy: "network-only" }).toPromise(),
    [chatId],
  );
  const reload = useCallback(() => load(), [load]);
  // What was before is in the history alone.
  useEffect(() => {
    if (starts > 0) void reload();
  }, [starts, reload]);
  // Behind the page: nothing between the two is missed, nor what comes while the connection is lost.
  useLive(MESSAGE_ADDED, pageInfo && { chatId, after: pageInfo.endCursor ?? null }, reload);
  useLive(READ_RECEIPT, { chatId }, reload);
  useEffect(() => {
    const mark = (): void => {
      if (newest && document.visibilityState === "visible") void client.mutation(MARK_READ, { chatId }).toPromise();
    };
    const timer = setTimeout(mark, 300);
    document.addEventListener("visibilitychange", mark);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", mark);
    };
  }, [chatId, newest]);
  // A message may be received before the mutation that sent it is answered.
  const unsent = outbox.unsent.filter(
    (message) => message.chatId === chatId && !nodes.some((node) => isCopy(message, node, me)),
  );
  return (
    <main>
      <div role="log" aria-label="Messages">
        <ol>
          {pageInfo?.hasPreviousPage && (
            <button type="button" onClick={() => void load(pageInfo.startCursor)}>
              Older messages
            </button>
          )}
          {nodes.map((node) => (
            <Message key={node.id} message={node} me={me} />
          ))}
          {unsent.map((message) => (
            <Waiting key={message.key} message={message} onRetry={() => outbox.send(message)} />
          ))}
        </ol>
      </div>
      {/* Who types is told anew after a reconnect. */}
      <Typing key={String(status === "reconnecting")} chatId={chatId} />
      <Composer chatId={chatId} outbox={outbox} />
    </main>
  );
}

function Message({
  message,
  me,
}: {
  readonly message: FragmentType<typeof MESSAGE>;
  readonly me: string;
}): ReactElement {
  const { sender, content, readBy } = unmask(MESSAGE, message);
  const readers = readBy.map(({ reader }) => reader).filter(({ id }) => id !== sender.id);
  return (
    <li>
      <b>{sender.name}</b> <span className="text">{content}</span>{" "}
      {sender.id === me && (
        <small>{readers.length > 0 ? `read by ${readers.map(({ name }) => name).join(", ")}` : "sent"}</small>
      )}
    </li>
  );
}

function Typing({ chatId }: { readonly chatId: string }): ReactElement {
  const [typing, setTyping] = useState<readonly { readonly id: string; readonly name: string }[]>([]);
  const change = useLive(TYPING_CHANGED, { chatId })?.typingChanged;
  useEffect(() => {
    if (!change) return;
    const { isTyping, user } = change;
    setTyping((all) => [...all.filter(({ id }) => id !== user.id), ...(isTyping ? [user] : [])]);
  }, [change]);
  return <p role="note">{typing.length > 0 && `${typing.map(({ name }) => name).join(", ")} typing …`}</p>;
}

function Waiting({ message, onRetry }: { readonly message: Unsent; readonly onRetry: () => void }): ReactElement {
  return (
    <li>
      <span className="text">{message.content}</span> <small>{message.isFailed ? "failed" : "sending"}</small>
      {message.isFailed && (
        <button type="button" onClick={onRetry}>
          Retry
        </button>
      )}
    </li>
  );
}

function Composer({ chatId, outbox }: { readonly chatId: string; readonly outbox: Outbox }): ReactElement {
  const [text, setText] = useState("");
  const typedAt = useRef(0);
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const content = text.trim();
    setText("");
    typedAt.current = 0;
    if (content) outbox.send({ key: crypto.randomUUID(), chatId, content, at: Date.now() });
  };
  const type = (event: ChangeEvent<HTMLInputElement>): void => {
    setText(event.target.value);
    // The indicator stops by itself after 3 s.
    if (Date.now() - typedAt.current < 2000) return;
    typedAt.current = Date.now();
    void client.mutation(SET_TYPING, { chatId }).toPromise();
  };
  return (
    <form onSubmit={submit}>
      <input aria-label="Message" autoComplete="off" value={text} onChange={type} />
      <button type="submit">Send</button>
    </form>
  );
}

/** The history does not know keys: in it, a message on its way is recognised by what it says. */
function isCopy(
  { key, content, isFailed, at }: Unsent,
  node: MessagesQuery["chat"]["messages"]["nodes"][number],
  me: string,
): boolean {
  if (node.clientMessageId) return node.clientMessageId === key;
  return !isFailed && node.sender.id === me && node.content === content && Date.parse(node.createdAt) > at - 60_000;
}
