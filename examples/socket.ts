/** The connection that all examples use: graphql-ws with the options that suit the gateway. */
import { resumable } from "graphql-chat-client";
import { createClient, type Client } from "graphql-ws";

export interface SocketOptions {
  readonly url: string;
  readonly token: () => string | Promise<string>;
  /** Called after the connection was lost and has been made again; subscriptions go on by themselves. */
  readonly onReconnected?: () => void;
  /** Called when the gateway refuses the token (4403): the next one that `token` gives is tried; a page without one asks for a login. */
  readonly onRefused?: () => void;
  /** Milliseconds from a pong to the next ping; a connection is replaced when nothing arrives for half of it while a pong is due. */
  readonly keepAliveMs?: number;
}

/** A client that went on doubling its waits would stay away for as long as an outage had lasted. */
const LONGEST_WAIT_MS = 30_000;

/** With some randomness, so that those who lost their connection together do not come back together. */
async function retryWait(retries: number): Promise<void> {
  const longestMs = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** retries);
  await new Promise((resolve) => setTimeout(resolve, longestMs * (0.5 + Math.random() / 2)));
}

function isRefusal(event: unknown): boolean {
  return typeof event === "object" && event !== null && "code" in event && event.code === 4403;
}

export function connectSocket({ url, token, onReconnected, onRefused, keepAliveMs = 10_000 }: SocketOptions): Client {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const calm = (): void => {
    clearTimeout(silence);
    silence = undefined;
  };
  /** Gives the connection up unless it answers in time. */
  const expectAnswer = (): void => {
    calm();
    silence = setTimeout(() => client.terminate(), keepAliveMs / 2);
  };
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    // A function: called at every connect, so that 4403 (expired, revoked) leads to a connection with the next token.
    connectionParams: async () => ({ token: await token() }),
    // Left alone the client gives up after five attempts, and at once where a connection is refused, as in every restart.
    shouldRetry: () => true,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait,
    connectionAckWaitTimeout: 10_000,
    // A page that goes from one chat to the next keeps its connection.
    lazyCloseTimeout: 5000,
    keepAlive: keepAliveMs,
    on: {
      connected: (_socket, _payload, wasRetry) => wasRetry && onReconnected?.(),
      // A network that has gone says nothing: a browser notices after minutes, this after one missing answer.
      ping: (received) => received || expectAnswer(),
      pong: (received) => received && calm(),
      // graphql-ws pings again only after a pong: what arrives before it gives it more time.
      message: () => silence && expectAnswer(),
      closed: (event) => {
        calm();
        if (isRefusal(event)) onRefused?.();
      },
    },
  });
  // Messages go on behind the newest one that was received, however long the connection was away.
  return resumable(client);
}
