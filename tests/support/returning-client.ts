/** A client that can lose its connection and come back with the same operations, spoken by hand: each connection's part is seen by itself. */
import { once } from "node:events";
import { Transcript } from "./transcript.ts";
import {
  openGraphQLSocket,
  type GraphQLSocket,
  type RawOperation,
  type RawResults,
  type SocketOptions,
} from "./graphql-socket.ts";

export const MESSAGES = "subscription ($chatId: ID) { messageAdded(chatId: $chatId) { chatId content } }";
export const RECEIPTS = "subscription ($chatId: ID) { readReceipt(chatId: $chatId) { messageId } }";

export interface Visit extends AsyncDisposable {
  readonly socket: GraphQLSocket;
  /** Subscribes under an id made of the name, and resolves when that stands. The transcript has contents of messages and ids of what was read. */
  follow(name: string, operation?: RawOperation): Promise<Transcript>;
  /** As `follow`, with the id as it is given. */
  followAs(id: string, operation?: RawOperation): Promise<Transcript>;
  /** Resolves when the gateway knows that every event so far has arrived. */
  confirmed(): Promise<void>;
  /** Resolves when what was sent before has been handled. */
  handled(): Promise<void>;
  /** Drops the connection without a word. */
  drop(): Promise<void>;
  /** Closes it with a code of the client's, or without one. */
  leave(code: number | undefined): Promise<void>;
  /** Resolves to the code with which the socket was closed. */
  readonly closed: Promise<number>;
}

/** An id that is not another connection's as well. */
export function operationId(name: string): string {
  return `subscription-of-a-test-${name}`;
}

/** One connection of such a client. With `autoPong: false` it confirms nothing. */
export async function visit(wsUrl: string, token: string, options: SocketOptions = {}): Promise<Visit> {
  const opened = await openGraphQLSocket(wsUrl, token, options);
  const subscriptions: RawResults[] = [];
  const events = (): number => subscriptions.reduce((sum, { all }) => sum + all.length, 0);
  const socket: GraphQLSocket = {
    ...opened,
    start(operation, id) {
      const results = opened.start(operation, id);
      subscriptions.push(results);
      return results;
    },
  };
  // When the gateway last asked what has arrived.
  const asked = { events: 0 };
  socket.socket.on("ping", () => void (asked.events = events()));
  const closed = once(socket.socket, "close").then(([code]) => code as number);
  const handled = async (): Promise<void> => void (await socket.run({ query: "{ chats { id } }" }));
  const followAs = async (id: string, operation: RawOperation = { query: MESSAGES }): Promise<Transcript> => {
    const results = socket.start(operation, id);
    const transcript = Transcript.of(results, wordOf);
    results.ended.then(
      (errors) => transcript.end(errors),
      () => undefined,
    );
    await handled();
    return transcript;
  };
  return {
    socket,
    closed,
    handled,
    followAs,
    follow: (name, operation) => followAs(operationId(name), operation),
    async confirmed() {
      const arrived = events();
      while (asked.events < arrived) await once(socket.socket, "ping");
      // The pong goes before it.
      await handled();
    },
    async drop() {
      socket.transport.resetAndDestroy();
      await closed;
    },
    async leave(code) {
      socket.socket.close(code);
      await closed;
    },
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  };
}

function wordOf(payload: string): string {
  const { data } = JSON.parse(payload) as {
    data: { messageAdded?: { content: string }; readReceipt?: { messageId: string } };
  };
  return data.messageAdded?.content ?? data.readReceipt?.messageId ?? payload;
}
