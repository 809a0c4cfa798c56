/** What the applications show: components without GraphQL. */
import { useRef, useState, type ChangeEvent, type ReactElement, type ReactNode, type SubmitEvent } from "react";
import "./style.css";

export interface Person {
  readonly id: string;
  readonly name: string;
}

/** How often typing is sent to the gateway; the indicator stops by itself after 3 s. */
const TYPING_EVERY_MS = 2000;

export interface PageProps {
  readonly viewer: ReactNode;
  readonly status: string;
  /** The list of chats. */
  readonly list: ReactNode;
  /** The open chat. */
  readonly children: ReactNode;
}

export function Page({ viewer, status, list, children }: PageProps): ReactElement {
  return (
    <>
      <header>
        <b>{viewer}</b>
        <span role="status">{status}</span>
        {/* Yours leads to your login. */}
        {status === "signed-out" && (
          <button type="button" onClick={() => location.reload()}>
            Log in
          </button>
        )}
      </header>
      <nav aria-label="Chats">{list}</nav>
      {children}
    </>
  );
}

export interface ChatButtonProps {
  readonly title: string;
  readonly unreadCount: number;
  /** How many of the others are online. */
  readonly online: number;
  readonly lastText: string | undefined;
  readonly isOpen: boolean;
  readonly open: () => void;
}

export function ChatButton({ title, unreadCount, online, lastText, isOpen, open }: ChatButtonProps): ReactElement {
  return (
    <button type="button" aria-current={isOpen} onClick={open}>
      {title} {unreadCount > 0 && <mark>{unreadCount} unread</mark>}
      <br />
      <small>
        {online} online. {lastText}
      </small>
    </button>
  );
}

export interface RoomProps {
  readonly loadOlder: false | undefined | (() => unknown);
  readonly isLoading?: boolean;
  readonly typing: readonly Person[];
  readonly send: (text: string) => void;
  /** Called once in 2 s at most. */
  readonly type: () => unknown;
  /** The messages. */
  readonly children: ReactNode;
}

/** An open chat: messages, who is typing, and a field for a new message. */
export function RoomPage({ loadOlder, isLoading = false, typing, send, type, children }: RoomProps): ReactElement {
  return (
    <main>
      <div role="log" aria-label="Messages" aria-busy={isLoading}>
        <ol>
          {loadOlder && (
            <button type="button" disabled={isLoading} onClick={() => void loadOlder()}>
              Older messages
            </button>
          )}
          {children}
        </ol>
      </div>
      <p role="note">{typing.length > 0 && `${namesOf(typing)} typing …`}</p>
      <Composer send={send} type={type} />
    </main>
  );
}

export interface MessageProps {
  readonly sender: string;
  readonly text: string;
  /** What became of a message of the viewer's own. */
  readonly note?: string | false | undefined;
  readonly retry?: false | undefined | (() => void);
}

export function Message({ sender, text, note, retry }: MessageProps): ReactElement {
  return (
    <li>
      <b>{sender}</b> <span className="text">{text}</span> {note && <small>{note}</small>}
      {retry && (
        <button type="button" onClick={retry}>
          Retry
        </button>
      )}
    </li>
  );
}

/** What a sent message says of those who have read it. */
export function readNote(readers: readonly Person[]): string {
  return readers.length > 0 ? `read by ${namesOf(readers)}` : "sent";
}

function Composer({ send, type }: Pick<RoomProps, "send" | "type">): ReactElement {
  const [text, setText] = useState("");
  const typedAt = useRef(0);
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const content = text.trim();
    setText("");
    // The next key stroke is sent at once.
    typedAt.current = 0;
    if (content) send(content);
  };
  const change = (event: ChangeEvent<HTMLInputElement>): void => {
    setText(event.target.value);
    if (Date.now() - typedAt.current < TYPING_EVERY_MS) return;
    typedAt.current = Date.now();
    type();
  };
  return (
    <form onSubmit={submit}>
      <input aria-label="Message" autoComplete="off" value={text} onChange={change} />
      <button type="submit">Send</button>
    </form>
  );
}

export function namesOf(people: readonly Person[]): string {
  return people.map(({ name }) => name).join(", ");
}
