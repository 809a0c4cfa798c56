/** A client that can lose its connection and come back with the same operations, spoken by hand: each connection's part is seen by itself. */
import { once } from "node:events";
import type { ClientOptions } from "ws";
import { Transcript } from "./transcript.ts";
import { openGraphQLSocket, type GraphQLSocket, type RawOperation } from "./graphql-socket.ts";

export const MESSAGES = "subscription ($chatId: ID) { messageAdded(chatId: $chatId) { chatId content } }";
export const RECEIPTS = "subscription ($chatId: ID) { readReceipt(chatId: $chatId) { messageId } }";

export interface Visit extends AsyncDisposable {
  readonly socket: GraphQLSocket;
  /** Subscribes under an id, and resolves when that stands. The transcript has contents of messages and ids of what was read. */
  follow(id: string, operation?: RawOperation): Promise<Transcript>;
  /** Resolves when the gateway knows that everything so far has arrived. */
  confirmed(): Promise<void>;
  /** Resolves when what was sent before has been dealt with. */
  settled(): Promise<void>;
  /** Drops the connection without a word. */
  drop(): Promise<void>;
  /** Closes it with a code of the client's, or without one. */
  leave(code: number | undefined): Promise<void>;
  /** Resolves to the code with which the socket was closed. */
  readonly closed: Promise<number>;
}

/** One connection of such a client. With `autoPong: false` it confirms nothing. */
export async function visit(wsUrl: string, token: string, options: ClientOptions = {}): Promise<Visit> {
  const socket = await openGraphQLSocket(wsUrl, token, options);
  const closed = once(socket.socket, "close").then(([code]) => code as number);
  const settled = async (): Promise<void> => void (await socket.run({ query: "{ chats { id } }" }));
  return {
    socket,
    closed,
    settled,
    async follow(id, operation = { query: MESSAGES }) {
      const results = socket.start(operation, id);
      const transcript = Transcript.of(results, wordOf);
      results.ended.then(
        (errors) => transcript.end(errors),
        () => undefined,
      );
      await settled();
      return transcript;
    },
    async confirmed() {
      await once(socket.socket, "ping");
      // The pong goes before it.
      await settled();
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
