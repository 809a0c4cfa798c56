/** What the tests of sessions share: a gateway whose time is the test's, tokens, and clients whose every message can be seen. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Webhook } from "standardwebhooks";
import { expect } from "vitest";
import type { WebSocket } from "ws";
import type { User } from "../../src/chat/model.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import type { WireChat } from "../../src/upstream/wire.ts";
import { ManualClock } from "../support/clock.ts";
import { startDiscreetGateway, type DiscreetGateway } from "../support/discreet.ts";
import { EVENTS_SECRET, tell, type Said } from "../support/events.ts";
import { openGraphQLSocket, type GraphQLSocket, type RawResults } from "../support/graphql-socket.ts";
import type { HttpOperation } from "../support/http.ts";
import { rawConnection } from "../support/tcp.ts";

export const [alice, bob, carol] = DEMO_USERS;
export const { shop, team, pair } = DEMO_CHATS;

/** Longer than the tokens of these tests live, even the first half of it. */
export const RECHECK_INTERVAL_MS = 60_000;

/** How the gateway closes the socket of a session that it ends. */
export const CLOSED = {
  tokenRefused: { code: 4403, reason: "Token refused" },
  tokenExpired: { code: 4403, reason: "Token expired" },
  signedOut: { code: 4403, reason: "Signed out" },
} as const;

/** For clients that do not read: a few large messages are more than a gateway keeps for one of them. */
export const EASILY_LAGGING = { MAX_SEND_BUFFER: "16384", MAX_MESSAGE_SIZE: "200000", MAX_PAYLOAD_SIZE: "1000000" };

export const CHATS = { query: "{ chats { id } }" };

/** A subscription to one chat, or to all. */
export function messages(chatId?: string): HttpOperation {
  return { query: "subscription ($chatId: ID) { messageAdded(chatId: $chatId) { content } }", variables: { chatId } };
}

export function send(chatId: string, content: string): HttpOperation {
  const query = "mutation ($chatId: ID!, $content: String!) { sendMessage(chatId: $chatId, content: $content) { id } }";
  return { query, variables: { chatId, content } };
}

/** The content of the next message that a subscription brings. */
export async function nextContent(results: RawResults): Promise<string> {
  return contentOf(await results.next());
}

export function contentOf(payload: string): string {
  return (JSON.parse(payload) as { data: { messageAdded: { content: string } } }).data.messageAdded.content;
}

export interface SessionClient extends GraphQLSocket {
  /** Resolves to the code and reason with which the gateway closed the socket. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export interface Scene extends DiscreetGateway {
  readonly clock: ManualClock;
  /** A token that the REST API accepts until it is revoked; with claims, one with the form of a JWT. */
  issue(userId: string, claims?: object): string;
  /** A connection of its own, acknowledged. */
  open(token: string): Promise<SessionClient>;
  tell(event: Said): Promise<void>;
  /** Posts events so that the gateway gets them in one turn of its event loop, in order. Resolves when it has. */
  tellAtOnce(...events: readonly Said[]): Promise<void>;
  /** How many writes the REST API has been asked for with a token. */
  writes(token: string): number;
}

export async function startScene(environment: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const clock = new ManualClock();
  const gateway = await startDiscreetGateway(
    {
      EVENTS_SECRET,
      HTTP_API_RETRIES: "1",
      SESSION_RECHECK_INTERVAL: String(RECHECK_INTERVAL_MS),
      PRESENCE_GRACE: "0",
      ...environment,
    },
    { clock },
  );
  const { requests } = gateway.api.faults;
  return {
    ...gateway,
    clock,
    issue: (userId, claims) => gateway.api.data.issueToken(userId, claims && { token: jwt(claims) }),
    open: (token) => openClient(gateway.wsUrl, token),
    tell: (event) => tell(gateway, event),
    tellAtOnce: (...events) => tellAtOnce(gateway.url, events),
    writes: (token) => requests.count({ token, method: "POST" }) + requests.count({ token, method: "PUT" }),
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

/** A token with the form of a JWT. Nobody verifies its signature: the REST API looks every token up. */
export function jwt(claims: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.${randomUUID().replaceAll("-", "")}`;
}

export async function openClient(wsUrl: string, token: string): Promise<SessionClient> {
  const client = await openGraphQLSocket(wsUrl, token);
  return { ...client, closed: closing(client.socket) };
}

async function closing(socket: WebSocket): Promise<{ readonly code: number; readonly reason: string }> {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return { code, reason: reason.toString() };
}

/**
 * A client that, told to go, neither answers nor stops sending. Resolves when it has been told. The socket's `close` event then
 * tells what it was told as soon as the connection is cut.
 */
export function deafen(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    // What ws calls to answer a close frame.
    Object.assign(socket, { close: () => resolve() });
  });
}

/** What becomes of a chat whose members are these. */
export function chatOf(id: string, members: readonly User[]): WireChat {
  const createdAt = "2026-01-28T16:00:00.000Z";
  return {
    id,
    participants: members.map((member) => member.id),
    participantNames: members.map((member) => member.name),
    createdAt,
    updatedAt: createdAt,
  };
}

async function tellAtOnce(url: string, events: readonly Said[]): Promise<void> {
  await using connection = await rawConnection(url);
  connection.send(events.map((event, index) => requestOf(event, index === events.length - 1)).join(""));
  const statuses = [...(await connection.received).matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status);
  expect(statuses).toEqual(events.map(() => "202"));
}

/** One of several requests on a connection, none of which waits for an answer. */
function requestOf(event: Said, isLast: boolean): string {
  const now = new Date();
  const id = `msg_${randomUUID()}`;
  const body = JSON.stringify({ timestamp: now.toISOString(), ...event });
  const headers = {
    host: "localhost",
    connection: isLast ? "close" : "keep-alive",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "webhook-id": id,
    "webhook-timestamp": Math.floor(now.getTime() / 1000),
    "webhook-signature": new Webhook(EVENTS_SECRET).sign(id, now, body),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /events HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}
