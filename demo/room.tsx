/** An open chat: messages, who types, and a field for a new one. */
import type { ShownMessage } from "graphql-chat-client";
import { useComposer, useMarkReadWhenVisible, useMessages, usePeople } from "graphql-chat-client/react";
import { useEffect, useId, useLayoutEffect, useRef, type ReactElement } from "react";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export function Room({ chatId, title }: { readonly chatId: string; readonly title: string }): ReactElement {
  const { items, hasOlder, loading, gap, loadOlder } = useMessages(chatId);
  const { online, typing } = usePeople(chatId);
  const { retry, discard } = useComposer(chatId);
  const list = useScroll(items, hasOlder && !loading, loadOlder);
  useMarkReadWhenVisible(chatId);
  return (
    <div className="room">
      <h3>
        {title} <small>{online.length === 0 ? "nobody else online" : `${names(online)} online`}</small>
      </h3>
      <div className="log" role="log" aria-label={`Messages in ${title}`} aria-busy={loading} tabIndex={0} ref={list}>
        {hasOlder && (
          <button type="button" className="older" disabled={loading} onClick={() => void loadOlder()}>
            Older messages
          </button>
        )}
        {gap && <p className="gap">You were away for long: older messages are further up.</p>}
        <ol>
          {items.map((message) => (
            <Message key={message.key} message={message} onRetry={retry} onDiscard={discard} />
          ))}
        </ol>
      </div>
      <p className="typing" aria-live="polite">
        {typing.length > 0 && `${names(typing)} ${typing.length === 1 ? "is" : "are"} typing …`}
      </p>
      <Composer chatId={chatId} title={title} />
    </div>
  );
}

function timeOf(at: Date): string {
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`;
}

function names(people: readonly { readonly name: string }[]): string {
  return people.map(({ name }) => name.split(" ")[0]).join(", ");
}

interface MessageProps {
  readonly message: ShownMessage;
  readonly onRetry: (key: string) => void;
  readonly onDiscard: (key: string) => void;
}

function Message({ message, onRetry, onDiscard }: MessageProps): ReactElement {
  const { key, text, sender, at, mine, state } = message;
  return (
    <li className={`${mine ? "mine" : "theirs"} ${state}`}>
      {!mine && <b>{sender.name}</b>}
      <span className="text">{text}</span>
      <span className="meta">
        <time dateTime={at.toISOString()}>{timeOf(at)}</time> {mine && <Ticks message={message} />}
      </span>
      {state === "failed" && (
        <span className="actions">
          Not sent.
          <button type="button" onClick={() => onRetry(key)}>
            Retry
          </button>
          <button type="button" onClick={() => onDiscard(key)}>
            Discard
          </button>
        </span>
      )}
    </li>
  );
}

function Ticks({ message: { state, readBy } }: { readonly message: ShownMessage }): ReactElement {
  const isRead = readBy.length > 0;
  const label = state !== "sent" ? state : isRead ? `read by ${names(readBy)}` : "sent";
  const sign = { queued: "◷", sending: "◷", failed: "!", sent: isRead ? "✓✓" : "✓" }[state];
  return (
    <span className={`ticks ${isRead ? "read" : ""}`} role="img" aria-label={label} title={label}>
      {sign}
    </span>
  );
}

function Composer({ chatId, title }: { readonly chatId: string; readonly title: string }): ReactElement {
  const { send, typing } = useComposer(chatId);
  const id = useId();
  const text = useRef<HTMLInputElement>(null);
  const submit = (event: { preventDefault(): void }): void => {
    event.preventDefault();
    const field = text.current;
    if (!field || field.value.trim() === "") return;
    send(field.value);
    field.value = "";
  };
  return (
    <form onSubmit={submit}>
      <label htmlFor={id} className="hidden">
        Message to {title}
      </label>
      <input id={id} ref={text} autoComplete="off" placeholder="Message" onInput={typing} />
      <button type="submit">Send</button>
    </form>
  );
}

/** Stays at the end while new messages come, stays where it is while older ones do, and asks for those at the top. */
function useScroll(
  items: readonly ShownMessage[],
  canLoad: boolean,
  loadOlder: () => Promise<void>,
): React.RefObject<HTMLDivElement | null> {
  const list = useRef<HTMLDivElement>(null);
  const before = useRef({ height: 0, first: "", isAtEnd: true });
  useLayoutEffect(() => {
    const { current } = list;
    if (!current) return;
    const { height, first, isAtEnd } = before.current;
    const wasPrepended = first !== "" && first !== items[0]?.key && !isAtEnd;
    if (isAtEnd) current.scrollTop = current.scrollHeight;
    else if (wasPrepended) current.scrollTop += current.scrollHeight - height;
    before.current = { ...before.current, height: current.scrollHeight, first: items[0]?.key ?? "" };
  }, [items]);
  useEffect(() => {
    const { current } = list;
    const onScroll = (): void => {
      if (!current) return;
      before.current.isAtEnd = current.scrollHeight - current.scrollTop - current.clientHeight < 40;
      if (current.scrollTop < 40 && canLoad && !before.current.isAtEnd) void loadOlder();
    };
    // Somebody may have come to the top while the page before was loading.
    onScroll();
    current?.addEventListener("scroll", onScroll, { passive: true });
    return () => current?.removeEventListener("scroll", onScroll);
  }, [canLoad, loadOlder]);
  return list;
}
