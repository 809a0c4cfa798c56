import type { Connection } from "./connection.ts";
import { uniqueId } from "./id.ts";
import { operate } from "./operate.ts";
import { storedMessages, type Pending } from "./stored.ts";
import type { ChatStorage, ShownMessage } from "./types.ts";
import { REPEATABLE_MS, RETRY_FOR_MS } from "./times.ts";

/** What an open chat has to do with its outgoing messages. */
export interface OpenChat {
  /** Whether everything that was missed has come: a message that was tried before is then known to be there or not. */
  readonly isLive: boolean;
  /** When the newest message was persisted, in ms since 1970; 0 where there is none. */
  readonly newestAt: number;
  has(messageId: string): boolean;
  changed(): void;
}

/** Messages that are not persisted yet, in order, one at a time. */
export interface Outbox {
  of(chatId: string): readonly Pending[];
  /** What is shown of a message's state; what is being sent is stored as queued, because the page may go meanwhile. */
  stateOf(message: Pending): ShownMessage["state"];
  add(chatId: string, text: string, key?: string): Pending;
  /** Sends a failed message again. */
  retry(key: string): void;
  /** Drops a message: it is persisted and shown elsewhere, or nobody wants it any more. */
  discard(key: string): void;
  /** Sends what can be sent now, and tells the open chats. */
  readonly flush: () => void;
  /** The chat is not open any more. */
  close(chatId: string): void;
}

export function createOutbox(connection: Connection, rooms: Map<string, OpenChat>, storage?: ChatStorage): Outbox {
  const stored = storedMessages(storage);
  let messages: readonly Pending[] = [];
  let sending: Pending | undefined;
  let stop: (() => void) | undefined;
  const change = (changed: readonly Pending[]): void => {
    stored.save(changed);
    flush(changed);
  };
  const flush = (all = messages): void => {
    // What is sent stays until its open chat has it.
    messages = all.filter((message) => !message.id || rooms.get(message.chatId)?.has(message.id) === false);
    const next = messages.find((message) => message.state === "queued" && rooms.get(message.chatId)?.isLive !== false);
    if (!next || sending || !connection.socket) return rooms.forEach((chat) => chat.changed());
    if (Date.now() - (next.triedAt ??= Date.now()) > REPEATABLE_MS) next.state = "failed";
    else {
      sending = next;
      stop = send(connection, next, rooms.get(next.chatId), (state, id) => {
        sending = undefined;
        next.state = state;
        next.id = id;
        change(messages);
      });
    }
    change(messages);
  };
  /** Nobody knows then whether the message arrives: it stays queued. */
  const abort = (): void => {
    stop?.();
    sending = undefined;
  };
  const add = (chatId: string, text: string, key = uniqueId()): Pending => {
    const added: Pending = { key, chatId, text, at: Date.now(), state: "queued" };
    change([...messages, added]);
    return added;
  };
  const discard = (key: string): void => {
    if (sending?.key === key) abort();
    change(messages.filter((message) => message.key !== key));
  };
  connection.listeners.add(() => {
    abort();
    flush(stored.welcome(connection.userId, messages));
  });
  return {
    of: (chatId) => messages.filter((message) => message.chatId === chatId),
    stateOf: (message) => (message === sending ? "sending" : message.state),
    add,
    retry(key) {
      const failed = messages.find((message) => message.state === "failed" && message.key === key);
      if (!failed) return;
      discard(key);
      add(failed.chatId, failed.text, key);
    },
    discard,
    flush,
    close(chatId) {
      rooms.delete(chatId);
      flush();
    },
  };
}

/** The result aborts it. */
function send(
  connection: Connection,
  message: Pending,
  room: OpenChat | undefined,
  finish: (state: Pending["state"], id?: string) => void,
): () => void {
  message.triedAfter ??= room?.newestAt;
  return operate<{ readonly id: string }>(
    connection.client,
    {
      query:
        "mutation($chatId:ID!,$text:String!,$key:ID!){sendMessage(chatId:$chatId,content:$text,clientMessageId:$key){id}}",
      // The gateway ignores what the document does not declare.
      variables: { ...message },
    },
    ({ id }) => finish("sent", id),
    () => finish("failed"),
    Date.now() + RETRY_FOR_MS,
  );
}
