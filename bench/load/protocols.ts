/** What each peer's clients say and hear, by hand, so that no client library is the bottleneck. */

import { randomUUID } from "node:crypto";

/** What somebody listens to: one chat, every chat of theirs, or what an open chat frontend has running (four subscriptions). */
export type Interest = { readonly chatId: string } | "all" | "four";

/** What a text that is no delivery means. */
export type Signal = "ready" | "acknowledged" | "failed" | "ping" | "other";

export interface Protocol {
  readonly path: string;
  readonly subprotocol?: string;
  /** Authenticates; answered with a text whose signal is `ready`. */
  hello(token: string): string;
  listen(interest: Interest): readonly string[];
  /** Sends a message to a chat; answered with a text whose signal is `acknowledged` when it is on its way. */
  message(id: number, chatId: string, content: string): string;
  read(text: string): Signal;
  /** The answer to a text whose signal is `ping`. */
  readonly pong?: string;
  /** The message in a delivery, for checking a sample. */
  delivered(text: string): unknown;
}

const FIELDS = "id chatId content createdAt sender { id name }";
const SEND =
  "mutation Send($chatId: ID!, $content: String!) { sendMessage(chatId: $chatId, content: $content) { id } }";
const MESSAGES = `subscription Messages($chatId: ID) { messageAdded(chatId: $chatId) { ${FIELDS} } }`;
const OTHERS: readonly string[] = [
  "subscription Typing { typingChanged { chatId user { id name } isTyping } }",
  "subscription Presence { presenceChanged { user { id name } online lastSeenAt } }",
  "subscription Receipts { readReceipt { chatId messageId reader { id name } readAt } }",
];

/** graphql-ws's own protocol. */
export const graphqlTransportWs: Protocol = {
  path: "/graphql",
  subprotocol: "graphql-transport-ws",
  hello: (token) => JSON.stringify({ type: "connection_init", payload: { token } }),
  listen(interest) {
    const variables = typeof interest === "object" ? interest : {};
    // Like those of stock clients, which a server may know again after a reconnect.
    const messages = subscribe(randomUUID(), MESSAGES, variables);
    if (interest !== "four") return [messages];
    return [messages, ...OTHERS.map((query) => subscribe(randomUUID(), query, {}))];
  },
  message: (id, chatId, content) => subscribe(`send-${id}`, SEND, { chatId, content }),
  read(text) {
    if (text.startsWith('{"type":"connection_ack"')) return "ready";
    if (text.includes('"errors"') || text.includes('"type":"error"')) return "failed";
    return text.startsWith('{"id":"send-') && text.includes('"type":"next"') ? "acknowledged" : "other";
  },
  delivered(text) {
    const { payload } = JSON.parse(text) as { payload?: { data?: { messageAdded?: unknown } } };
    return payload?.data?.messageAdded;
  },
};

function subscribe(id: string, query: string, variables: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ id, type: "subscribe", payload: { query, variables } });
}

/** The JSON frames of the two plain servers, `peers/ws.ts` and `peers/bun.ts`. */
export const jsonFrames: Protocol = {
  path: "/",
  hello: (token) => JSON.stringify({ type: "hello", token }),
  listen: () => [JSON.stringify({ type: "join" })],
  message: (id, chatId, content) => JSON.stringify({ type: "send", id, chatId, content }),
  read(text) {
    if (text.startsWith('{"type":"ready"')) return "ready";
    if (text.startsWith('{"type":"sent"')) return "acknowledged";
    return text.startsWith('{"type":"failed"') ? "failed" : "other";
  },
  delivered: (text) => (JSON.parse(text) as { message?: unknown }).message,
};

/** Engine.IO 4 and Socket.IO 5 packets over the WebSocket transport alone. */
export const socketIo: Protocol = {
  path: "/socket.io/?EIO=4&transport=websocket",
  hello: (token) => `40${JSON.stringify({ token })}`,
  listen: () => ['42["join"]'],
  message: (id, chatId, content) => `42${id}${JSON.stringify(["send", { chatId, content }])}`,
  read(text) {
    if (text === "2") return "ping";
    if (text.startsWith("40")) return "ready";
    if (text.startsWith("43")) return text.includes("failed") ? "failed" : "acknowledged";
    return text.startsWith("44") ? "failed" : "other";
  },
  pong: "3",
  delivered: (text) => (JSON.parse(text.slice(2)) as unknown[])[1],
};
