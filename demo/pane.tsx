/** What one person sees: the state of the connection, the list of chats, an open chat, and buttons that do harm. */
import { ChatProvider, useConnection, useInbox } from "graphql-chat-client/react";
import type { ConnectionStatus, InboxChat } from "graphql-chat-client";
import { useState, type ReactElement } from "react";
import type { Person } from "./person.ts";
import { Room } from "./room.tsx";

const STATUS: Readonly<Record<ConnectionStatus, string>> = {
  connecting: "Connecting …",
  "catching-up": "Catching up …",
  live: "Live",
  reconnecting: "Reconnecting …",
  offline: "Offline",
  "signed-out": "Signed out",
};

interface PaneProps {
  readonly person: Person;
  /** Rejects where the gateway cannot be reached. */
  readonly onSignIn: () => Promise<void>;
}

export function Pane(props: PaneProps): ReactElement {
  return (
    <ChatProvider client={props.person.client}>
      <Screen {...props} />
    </ChatProvider>
  );
}

function Screen({ person, onSignIn }: PaneProps): ReactElement {
  const { chats, unreadTotal, loaded } = useInbox();
  const [chosen, choose] = useState<string>();
  const [isOffline, setOffline] = useState(false);
  const open =
    chats.find(({ id }) => id === chosen) ?? chats.find(({ participants }) => participants.length > 2) ?? chats[0];
  return (
    <section className="pane" aria-label={person.name}>
      <header>
        <h2>{person.name}</h2>
        <span className="unread" hidden={unreadTotal === 0}>
          {unreadTotal} unread
        </span>
        <Status isOffline={isOffline} />
        <Login onSignIn={onSignIn} />
      </header>
      <Faults
        person={person}
        isOffline={isOffline}
        onToggle={() => {
          person.setOffline(!isOffline);
          setOffline(!isOffline);
        }}
      />
      <nav aria-label={`Chats of ${person.name}`} aria-busy={!loaded}>
        <ul>
          {chats.map((chat) => (
            <li key={chat.id}>
              <Chat chat={chat} isOpen={chat === open} onOpen={() => choose(chat.id)} />
            </li>
          ))}
        </ul>
      </nav>
      {open && <Room key={open.id} chatId={open.id} title={open.title} />}
    </section>
  );
}

function Status({ isOffline }: { readonly isOffline: boolean }): ReactElement {
  const { status } = useConnection();
  const shown = isOffline ? "offline" : status;
  return (
    <span className={`status ${shown}`} role="status">
      {STATUS[shown]}
    </span>
  );
}

/** Shown where the token is refused, and there is no other. */
function Login({ onSignIn }: Pick<PaneProps, "onSignIn">): ReactElement | undefined {
  const { status } = useConnection();
  const [attempt, setAttempt] = useState<"under way" | "failed">();
  if (status !== "signed-out") return undefined;
  const signIn = (): void => {
    setAttempt("under way");
    onSignIn().then(
      () => setAttempt(undefined),
      () => setAttempt("failed"),
    );
  };
  return (
    <p className="login" role="alert">
      {attempt === "failed" ? "The gateway cannot be reached." : "You are signed out."}{" "}
      <button type="button" disabled={attempt === "under way"} onClick={signIn}>
        Sign in
      </button>
    </p>
  );
}

interface ChatProps {
  readonly chat: InboxChat;
  readonly isOpen: boolean;
  readonly onOpen: () => void;
}

function Chat({ chat: { title, online, unreadCount, lastMessage }, isOpen, onOpen }: ChatProps): ReactElement {
  return (
    <button type="button" className="chat" aria-current={isOpen ? "true" : undefined} onClick={onOpen}>
      <span className={`dot ${online.length > 0 ? "on" : ""}`} />
      <span className="title">
        {title}
        <span className="hidden">{online.length > 0 ? ", somebody is online" : ""}</span>
      </span>
      {unreadCount > 0 && (
        <span className="count">
          {unreadCount}
          <span className="hidden"> unread</span>
        </span>
      )}
      <span className="last">
        {lastMessage ? `${lastMessage.mine ? "You: " : ""}${lastMessage.text}` : "No message yet"}
      </span>
    </button>
  );
}

interface FaultsProps {
  readonly person: Person;
  readonly isOffline: boolean;
  readonly onToggle: () => void;
}

/** Everything that a network, a server and a clock do to a chat. */
function Faults({ person, isOffline, onToggle }: FaultsProps): ReactElement {
  return (
    <div className="faults" role="group" aria-label={`Faults of ${person.name}'s connection`}>
      <button type="button" onClick={() => person.client.graphql.terminate()}>
        Cut the connection
      </button>
      <button type="button" aria-pressed={isOffline} onClick={onToggle}>
        Offline
      </button>
      <button type="button" onClick={() => void fetch("demo/restart", { method: "POST" })}>
        Restart the gateway’s sockets
      </button>
      <button type="button" onClick={() => void person.expireToken()}>
        Expire the token
      </button>
      <button type="button" onClick={() => void person.endSession()}>
        End the session
      </button>
    </div>
  );
}
