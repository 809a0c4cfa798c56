import type { Connection } from "./connection.ts";
import { uniqueId } from "./id.ts";
import { operate } from "./operate.ts";
import { storedMessages, type Pending } from "./stored.ts";
import type { ChatStorage } from "./types.ts";
import { REPEATABLE_MS, RETRY_FOR_MS } from "./times.ts";

/** What an open chat has to do with its outgoing messages. */
export interface OpenChat {
  /** Whether everything that was missed has come: a message that was tried before is then known to be there or not. */
  readonly isLive: boolean;
  has(messageId: string): boolean;
  changed(): void;
}

/** Messages that are not persisted yet, in order, one at a time. */
export interface Outbox {
  /** The open chats. */
  readonly rooms: Map<string, OpenChat>;
  of(chatId: string): readonly Pending[];
  add(chatId: string, text: string, key?: string): Pending;
  /** Sends a failed message again. */
  retry(key: string): void;
  /** Drops a message: it is persisted and shown elsewhere, or nobody wants it any more. */
  discard(key: string): void;
  /** Sends what can be sent now, and tells the open chats. */
  readonly flush: () => void;
}

export function createOutbox(connection: Connection, rooms: Map<string, OpenChat>, storage?: ChatStorage): Outbox {
  const stored = storedMessages(storage);
  let messages: readonly Pending[] = [];
  /** Defined while a message is being sent. */
  let stop: (() => void) | undefined;
  const change = (changed: readonly Pending[]): void => {
    messages = changed;
    stored.save(messages);
    flush();
  };
  const flush = (): void => {
    const next = messages.find((message) => message.state === "queued" && (rooms.get(message.chatId)?.isLive ?? true));
    if (next && !stop && connection.socket) {
      if (Date.now() - (next.triedAt ??= Date.now()) > REPEATABLE_MS) {
        next.state = "failed";
        return flush();
      }
      stop = send(connection, next, (state) => {
        stop = undefined;
        next.state = state;
        change(messages);
        if (next.id && (rooms.get(next.chatId)?.has(next.id) ?? true)) discard(next.key);
      });
      stored.save(messages);
    }
    rooms.forEach((chat) => chat.changed());
  };
  const abort = (): void => {
    stop?.();
    stop = undefined;
  };
  const find = (key: string, state: Pending["state"]): Pending | undefined =>
    messages.find((message) => message.state === state && message.key === key);
  const add = (chatId: string, text: string, key = uniqueId()): Pending => {
    const added: Pending = { key, chatId, text, at: Date.now(), state: "queued" };
    change([...messages, added]);
    return added;
  };
  const discard = (key: string): void => {
    if (find(key, "sending")) abort();
    change(messages.filter((message) => message.key !== key));
  };
  connection.listeners.add(() => {
    abort();
    messages = stored.welcome(connection.userId, messages);
    flush();
  });
  return {
    rooms,
    of: (chatId) => messages.filter((message) => message.chatId === chatId),
    add,
    retry(key) {
      const failed = find(key, "failed");
      if (!failed) return;
      discard(key);
      add(failed.chatId, failed.text, key);
    },
    discard,
    flush,
  };
}

/** The result aborts that: nobody knows then whether the message arrives, and it is queued again. */
function send(connection: Connection, message: Pending, finish: (state: Pending["state"]) => void): () => void {
  const { chatId, text, key } = message;
  message.state = "sending";
  const end = operate<{ readonly id: string }>(
    connection.client,
    {
      query: "mutation($id:ID!,$text:String!,$key:ID!){sendMessage(chatId:$id,content:$text,clientMessageId:$key){id}}",
      variables: { id: chatId, text, key },
    },
    ({ id }) => {
      message.id = id;
      finish("sent");
    },
    () => finish("failed"),
    Date.now() + RETRY_FOR_MS,
  );
  return () => {
    end();
    message.state = "queued";
  };
}
