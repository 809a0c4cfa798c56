/** The connection that all examples use: graphql-ws with the options that suit the gateway. */
import { createClient, type Client } from "graphql-ws";

export interface SocketOptions {
  readonly url: string;
  readonly token: () => string | Promise<string>;
  /** Called after the connection was lost and has been made again; subscriptions go on by themselves. */
  readonly onReconnected?: () => void;
  /** Milliseconds without a message after which a ping is sent; half of it later a silent connection is replaced. */
  readonly keepAliveMs?: number;
}

export function connectSocket({ url, token, onReconnected, keepAliveMs = 10_000 }: SocketOptions): Client {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    // A function: called at every connect, so that 4403 (expired, revoked) leads to a connection with the next token.
    connectionParams: async () => ({ token: await token() }),
    // Left alone the client gives up after five attempts, and at once where a connection is refused, as in every restart.
    shouldRetry: () => true,
    retryAttempts: Number.POSITIVE_INFINITY,
    connectionAckWaitTimeout: 10_000,
    // A page that goes from one chat to the next keeps its connection.
    lazyCloseTimeout: 5000,
    keepAlive: keepAliveMs,
    on: {
      connected: (_socket, _payload, wasRetry) => wasRetry && onReconnected?.(),
      // A network that has gone says nothing: a browser notices after minutes, this after one missing answer.
      ping: (received) => {
        if (!received) silence = setTimeout(() => client.terminate(), keepAliveMs / 2);
      },
      pong: (received) => received && clearTimeout(silence),
      closed: () => clearTimeout(silence),
    },
  });
  return client;
}
