/** One graphql-ws client that loses nothing, with its state for the page. */
import { resumable } from "graphql-chat-client";
import { createClient } from "graphql-ws";

export type Status = "connecting" | "catching-up" | "live" | "reconnecting";

/** Development tokens of the embedded API, chosen by `?token=`. Yours comes from your login. */
const token = new URLSearchParams(location.search).get("token") ?? "alice-token";
const url = new URL(import.meta.env.VITE_GATEWAY_URL ?? "http://localhost:8080/graphql", location.href).href;

/** @param onNew called when messages or receipts begin with what is new: what was before is in the history alone. */
export function connect(onStatus: (status: Status) => void, onNew: () => void): ReturnType<typeof createClient> {
  let silence: ReturnType<typeof setTimeout>;
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    connectionParams: { token, streamStates: true },
    // What the gateway says about a subscription comes with its id.
    generateID: ({ operationName }) => `${operationName}:${crypto.randomUUID()}`,
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: (retries) => new Promise((end) => setTimeout(end, Math.random() * Math.min(30_000, 500 * 2 ** retries))),
    keepAlive: 7000,
    on: {
      connected: () => onStatus("catching-up"),
      closed: () => onStatus("reconnecting"),
      message: () => clearTimeout(silence),
      ping(isReceived, payload) {
        // A network that is gone says nothing.
        if (!isReceived) silence = setTimeout(() => client.terminate(), 4000);
        const { id = "", state, start } = (payload?.["subscription"] ?? {}) as Readonly<Record<string, string>>;
        if (id.startsWith("MessageAdded")) onStatus(state as Status);
        if (start === "new" && /^(MessageAdded|ReadReceipt)/.test(id)) onNew();
      },
    },
  });
  return resumable(client);
}
