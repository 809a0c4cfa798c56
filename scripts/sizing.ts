/**
 * `npm run sizing -- [--clients <n>] [--write]`: what clients, chats and messages take in Redis. Each is the growth between two states, divided by
 * what came in between. `--write` keeps it in `scripts/capacity/redis-sizes.json`, from which `npm run capacity -- --write` makes the table in
 * docs/OPERATIONS.md.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { SIZES_FILE, type RedisSizes } from "./capacity/sizing.ts";
import { openGraphQLSocket, type GraphQLSocket } from "../tests/support/graphql-socket.ts";
import { CHAT_SIZE, createClients, SEND, SUBSCRIPTIONS, type Client } from "./soak/churn.ts";
import { startObserved, type Holding, type Observed } from "./soak/held.ts";

/** After the first message of a chat. */
const MORE_MESSAGES = 20;

/** Characters of a message. */
const LENGTH = 100;

const HEARTBEAT_MS = 1000;

const DEFAULT_CLIENTS = 500;

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: String(DEFAULT_CLIENTS) },
    write: { type: "boolean", default: false },
  },
});
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

function bytesEach(from: Holding, to: Holding, things: number): number {
  return Math.round(((to.redisBytes ?? Number.NaN) - (from.redisBytes ?? Number.NaN)) / things);
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

const sizes: RedisSizes = {
  command: ["npm run sizing", ...(count === DEFAULT_CLIENTS ? [] : [`-- --clients ${count}`])].join(" "),
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores`,
  bytes: {
    onlineUser: bytesEach(empty, online, count),
    position: bytesEach(online, resumable, 2 * count),
    chat: bytesEach(subscribed, begun, chats),
    message: bytesEach(begun, filled, chats * MORE_MESSAGES),
  },
};
const text = `${JSON.stringify(sizes, undefined, 2)}\n`;
process.stdout.write(text);
if (values.write) writeFileSync(SIZES_FILE, text);
for (const { socket } of [...first, ...connected]) socket.socket.terminate();
