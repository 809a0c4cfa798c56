/**
 * `npm run sizing -- [--clients <n>]`: what clients, chats and messages take in Redis, and connections in the gateway. Prints rows of the table in
 * docs/OPERATIONS.md. Each is the growth between two states, divided by what came in between.
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openGraphQLSocket, type GraphQLSocket } from "../tests/support/graphql-socket.ts";
import { CHAT_SIZE, createClients, SEND, SUBSCRIPTIONS, type Client } from "./soak/churn.ts";
import { startObserved, type Holding, type Observed } from "./soak/held.ts";

/** After the first message of a chat. */
const MORE_MESSAGES = 20;

/** Characters of a message. */
const LENGTH = 100;

const HEARTBEAT_MS = 1000;

const { values } = parseArgs({ options: { clients: { type: "string", default: "500" } } });
const count = Number(values.clients);
if (!(count > 0)) throw new Error("--clients is a number");

interface Connected extends Client {
  readonly socket: GraphQLSocket;
}

async function connectAll(wsUrl: string, clients: readonly Client[]): Promise<readonly Connected[]> {
  const connected: Connected[] = [];
  for (const client of clients) {
    connected.push({ ...client, socket: await openGraphQLSocket(wsUrl, client.token) });
  }
  return connected;
}

function subscribe({ name, chatId, socket }: Connected, subscriptions: readonly string[]): void {
  for (const subscription of subscriptions) {
    const query = SUBSCRIPTIONS[subscription] ?? "";
    socket.start({ query, variables: query.includes("$chatId") ? { chatId } : {} }, `${subscription} of ${name}`);
  }
}

/** Resolves when all that was sent has been answered and confirmed. */
async function holdingOf(observed: Observed, connected: readonly Connected[]): Promise<Holding> {
  for (const { socket } of connected) await socket.run({ query: "{ me { id } }" });
  await sleep(3 * HEARTBEAT_MS);
  return observed.hold();
}

async function sendToEachChat(connected: readonly Connected[], messages: number): Promise<void> {
  const senders = connected.filter((_, index) => index % CHAT_SIZE === 0);
  for (let nth = 0; nth < messages; nth++) {
    await Promise.all(
      senders.map(({ chatId, socket }) =>
        socket.run({ query: SEND, variables: { chatId, content: `${nth} `.padEnd(LENGTH, "m") } }),
      ),
    );
  }
}

function kilobytes(from: Holding, to: Holding, things: number, what: "redisBytes" | "residentBytes"): string {
  return `${(((to[what] ?? Number.NaN) - (from[what] ?? Number.NaN)) / things / 1000).toFixed(2)} KB`;
}

await using observed = await startObserved("redis", { HEARTBEAT_INTERVAL: String(HEARTBEAT_MS) });
const clients = createClients(observed.api, count + CHAT_SIZE);
// What is there once for all is there before.
const first = await connectAll(observed.wsUrl, clients.slice(0, CHAT_SIZE));
for (const client of first) subscribe(client, Object.keys(SUBSCRIPTIONS));
await sendToEachChat(first, 1);
const empty = await holdingOf(observed, first);

const connected = await connectAll(observed.wsUrl, clients.slice(CHAT_SIZE));
const online = await holdingOf(observed, connected);
for (const client of connected) subscribe(client, ["messages", "receipts"]);
const resumable = await holdingOf(observed, connected);
for (const client of connected) subscribe(client, ["typing", "presence"]);
const subscribed = await holdingOf(observed, connected);
const chats = connected.length / CHAT_SIZE;
await sendToEachChat(connected, 1);
const begun = await holdingOf(observed, connected);
await sendToEachChat(connected, MORE_MESSAGES);
const filled = await holdingOf(observed, connected);

const rows = [
  ["a connection with four subscriptions, in the gateway", kilobytes(empty, subscribed, count, "residentBytes")],
  ["a user who is online", kilobytes(empty, online, count, "redisBytes")],
  ["a stream position of a client", kilobytes(online, resumable, 2 * count, "redisBytes")],
  ["a chat with a message", kilobytes(subscribed, begun, chats, "redisBytes")],
  ["each message of its log", kilobytes(begun, filled, chats * MORE_MESSAGES, "redisBytes")],
];
process.stdout.write(rows.map((row) => `| ${row.join(" | ")} |\n`).join(""));
for (const { socket } of [...first, ...connected]) socket.socket.terminate();
