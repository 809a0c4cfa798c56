/** A graphql-ws client that loses nothing, for Apollo Client and urql, with its state for the page. The client kit has its own. */
import { resumable } from "graphql-chat-client";
import { createClient, type Client } from "graphql-ws";
import { useSyncExternalStore } from "react";
import { gatewayUrl, getToken } from "./gateway.ts";

export type Status = "connecting" | "catching-up" | "live" | "reconnecting" | "offline" | "signed-out";

export interface Connection {
  readonly client: Client;
  readonly status: () => Status;
  /** The result ends it. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Load the newest messages again. They are called when messages or receipts begin with what is new: what was before is in the history alone. */
  readonly loaders: Set<() => Promise<unknown>>;
  /** Calls all loaders. */
  readonly reload: () => Promise<unknown>;
}

/** A silent network is noticed at the latest after both together. */
const PING_EVERY_MS = 7000;
const PONG_WITHIN_MS = 4000;

/** From the first packet to `connection_ack`. */
const CONNECT_WITHIN_MS = 10_000;

/** graphql-ws would take the close event of a socket that failed for the next one's. */
const SHORTEST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 30_000;

/** Subscriptions whose events the history has too. */
const MESSAGES = "MessageAdded";
const RECEIPTS = "ReadReceipt";

export function connect(): Connection {
  const loaders = new Set<() => Promise<unknown>>();
  const reload = (): Promise<unknown> => Promise.all([...loaders].map((load) => load()));
  const { status, subscribe, show } = statusStore();
  const tokens = new Tokens();
  let silence: ReturnType<typeof setTimeout> | undefined;
  const calm = (): void => {
    clearTimeout(silence);
    silence = undefined;
  };
  /** Gives the connection up unless it answers in time. */
  const expect = (ms: number): void => {
    calm();
    silence = setTimeout(() => client.terminate(), ms);
  };
  const client = createClient({
    url: async () => {
      if (!(await tokens.next())) {
        show("signed-out");
        // Nothing connects any more.
        await new Promise(() => undefined);
      }
      expect(CONNECT_WITHIN_MS);
      return gatewayUrl.replace(/^http/, "ws");
    },
    connectionParams: () => ({ token: tokens.current, streamStates: true }),
    // What the gateway says about a subscription comes with its id.
    generateID: ({ operationName }) => `${operationName}:${crypto.randomUUID()}`,
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: (retries) =>
      onlineOrAfter(SHORTEST_WAIT_MS + Math.random() * Math.min(LONGEST_WAIT_MS, 500 * 2 ** retries)),
    keepAlive: PING_EVERY_MS,
    on: {
      connected: () => {
        calm();
        show("catching-up");
      },
      closed: (event) => {
        calm();
        tokens.isRefused = (event as CloseEvent).code === 4403;
        show(navigator.onLine ? "reconnecting" : "offline");
      },
      // graphql-ws pings again only after a pong: what arrives before it gives it more time.
      message: () => silence && expect(PONG_WITHIN_MS),
      pong: (isReceived) => isReceived && calm(),
      ping(isReceived, payload) {
        if (!isReceived) expect(PONG_WITHIN_MS);
        const { id = "", state, start } = (payload?.["subscription"] ?? {}) as Readonly<Record<string, string>>;
        if (id.startsWith(MESSAGES)) show(state as Status);
        if (start === "new" && (id.startsWith(MESSAGES) || id.startsWith(RECEIPTS))) void reload();
      },
    },
  });
  addEventListener("offline", () => client.terminate());
  return { client: resumable(client), loaders, reload, status, subscribe };
}

/** The viewer's tokens, one after the other. */
class Tokens {
  current: string | undefined;
  /** Whether the gateway has refused the current one. */
  isRefused = false;

  /** False where there is none but the one that was refused. */
  async next(): Promise<boolean> {
    const next = await untilAnswered(getToken);
    if (!next || (this.isRefused && next === this.current)) return false;
    this.current = next;
    return true;
  }
}

function statusStore(): Pick<Connection, "status" | "subscribe"> & { readonly show: (status: Status) => void } {
  const listeners = new Set<() => void>();
  let status: Status = "connecting";
  return {
    status: () => status,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    show(next) {
      status = next;
      for (const listener of listeners) listener();
    },
  };
}

export function useStatus({ status, subscribe }: Connection): Status {
  return useSyncExternalStore(subscribe, status);
}

async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await onlineOrAfter(1000);
    }
  }
}

/** Resolves after so long, or when the network is back. */
function onlineOrAfter(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
  });
}
