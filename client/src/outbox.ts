import type { Client } from "graphql-ws";
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
  /** When the newest message was persisted, in ms since 1970; 0 where there is none. */
  readonly newestAt: number;
  has(messageId: string): boolean;
  changed(): void;
}

/** Messages that are not persisted yet; those of one chat are sent in order, one at a time. */
export interface Outbox {
  of(chatId: string): readonly Pending[];
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
  const change = (changed: readonly Pending[]): void => {
    stored.save(changed);
    flush(changed);
  };
  const flush = (all = messages): void => {
    // What is sent stays until its open chat has it.
    messages = all.filter((message) => !message.id || rooms.get(message.chatId)?.has(message.id) === false);
    const next = messages.find(
      (message) =>
        message.state === "queued" &&
        rooms.get(message.chatId)?.isLive !== false &&
        !messages.some((other) => other.stop && other.chatId === message.chatId),
    );
    if (!next || !connection.socket) return rooms.forEach((chat) => chat.changed());
    if (Date.now() - (next.triedAt ??= Date.now()) > REPEATABLE_MS) next.state = "failed";
    else {
      next.triedAfter ??= rooms.get(next.chatId)?.newestAt;
      send(connection.client, next, () => change(messages));
    }
    // And the first of the next chat.
    change(messages);
  };
  const add = (chatId: string, text: string, key = uniqueId()): Pending => {
    const added: Pending = { key, chatId, text, at: Date.now(), state: "queued" };
    change([...messages, added]);
    return added;
  };
  const discard = (key: string): void => {
    messages.find((message) => message.key === key)?.stop?.();
    change(messages.filter((message) => message.key !== key));
  };
  connection.listeners.add(() => {
    messages.forEach((message) => {
      // Nobody knows whether it arrives: it stays queued.
      message.stop?.();
      message.stop = undefined;
    });
    // What was written before anybody was known is stored now: it may have to wait for its chat.
    change(stored.welcome(connection.userId, messages));
  });
  return {
    of: (chatId) => messages.filter((message) => message.chatId === chatId),
    add,
    retry(key) {
      const failed = messages.find((message) => message.key === key);
      if (failed?.state !== "failed") return;
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

function send(client: Client, message: Pending, changed: () => void): void {
  const finish = (sent?: { readonly id: string }): void => {
    message.stop = undefined;
    message.id = sent?.id;
    message.state = sent ? "sent" : "failed";
    changed();
  };
  message.stop = operate(
    client,
    {
      query:
        "mutation($chatId:ID!,$text:String!,$key:ID!){sendMessage(chatId:$chatId,content:$text,clientMessageId:$key){id}}",
      // The gateway ignores what the document does not declare.
      variables: { ...message },
    },
    finish,
    () => finish(),
    Date.now() + RETRY_FOR_MS,
  );
}
