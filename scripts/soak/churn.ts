/** Clients that come, do what an open chat does, and go, each in a way of its own. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { DevApi } from "../../src/dev/api.ts";
import { openGraphQLSocket, type GraphQLSocket } from "../../tests/support/graphql-socket.ts";
import { openEventStream, postOperation } from "../../tests/support/http.ts";
import type { Random } from "../chaos/random.ts";

export const CHAT_SIZE = 10;

/** Visits over SSE. */
const SSE_SHARE = 0.1;

/**
 * Visits during which something is written. Ids of what is written are remembered for ten minutes, so that a repetition is recognised: with
 * one at each visit these would hide what a visit itself leaves behind.
 */
const SENDING_SHARE = 0.1;

/** Clients that connect for the first time at once. */
const CONNECTING = 20;

/** What a client is subscribed to. Each has the same id at every visit, so that the next one resumes it. */
export const SUBSCRIPTIONS: Readonly<Record<string, string>> = {
  messages: "subscription ($chatId: ID) { messageAdded(chatId: $chatId) { id content sender { id name } } }",
  receipts: "subscription ($chatId: ID) { readReceipt(chatId: $chatId) { messageId reader { id } } }",
  typing: "subscription ($chatId: ID) { typingChanged(chatId: $chatId) { isTyping user { id } } }",
  presence: "subscription { presenceChanged { online user { id } } }",
};

/** A message to a chat. */
export const SEND =
  "mutation ($chatId: ID!, $content: String!) { sendMessage(chatId: $chatId, content: $content) { id } }";
const READ = "mutation ($chatId: ID!) { markChatRead(chatId: $chatId) { chatId } }";
const TYPE = "mutation ($chatId: ID!) { setTyping(chatId: $chatId, isTyping: true) { isTyping } }";
const LOAD = "query ($chatId: ID!) { chat(id: $chatId) { id messages(last: 20) { nodes { id content } } } }";

export interface Client {
  readonly name: string;
  readonly token: string;
  readonly chatId: string;
}

/** So many users, in chats of ten. */
export function createClients({ data }: DevApi, count: number): readonly Client[] {
  const users = Array.from({ length: count }, (_, n) =>
    data.createUser({ name: `Client ${n + 1}`, token: randomUUID() }),
  );
  return Array.from({ length: Math.ceil(count / CHAT_SIZE) }, (_, n) =>
    users.slice(n * CHAT_SIZE, (n + 1) * CHAT_SIZE),
  ).flatMap((members) => {
    const { id: chatId } = data.createChat({ participants: members.map(({ id }) => id) });
    return members.map(({ name, token }) => ({ name, token, chatId }));
  });
}

/** Connects a client with its four subscriptions. Resolves when they run. */
export async function join(wsUrl: string, { name, token, chatId }: Client): Promise<GraphQLSocket> {
  const socket = await openGraphQLSocket(wsUrl, token);
  for (const [subscription, query] of Object.entries(SUBSCRIPTIONS)) {
    socket.start({ query, variables: query.includes("$chatId") ? { chatId } : {} }, `${subscription} of ${name}`);
  }
  await socket.run({ query: LOAD, variables: { chatId } });
  return socket;
}

export interface ChurnOptions {
  readonly url: string;
  readonly wsUrl: string;
  readonly clients: readonly Client[];
  readonly random: Random;
  /** The longest time that a client stays. It is away for a third of it at most. */
  readonly stayMs: number;
}

/** Everybody comes and goes until it is ended. */
export class Churn {
  visits = 0;
  messages = 0;
  /** Visits that did not go as they should. */
  readonly failures: string[] = [];
  readonly #options: ChurnOptions;
  readonly #over = new AbortController();
  /** Clients that are connecting, or have an operation in flight. */
  readonly #busy = new Set<Promise<unknown>>();
  #pause: Promise<unknown> | undefined;
  readonly #running: Promise<unknown>;

  constructor(options: ChurnOptions) {
    this.#options = options;
    this.#running = Promise.all(options.clients.map((client) => this.#live(client)));
  }

  /** Connects each client once, with every subscription, and has it leave. What is kept for each client is there then. */
  static async visitOnce({ wsUrl, clients }: ChurnOptions): Promise<void> {
    const next = clients.values();
    const visit = async (): Promise<void> => {
      for (const client of next) {
        await using socket = await join(wsUrl, client);
        const variables = { chatId: client.chatId };
        await socket.run({ query: TYPE, variables });
        await socket.run({ query: SEND, variables: { ...variables, content: "hello" } });
        await socket.run({ query: READ, variables });
        await leave(socket, "close");
      }
    };
    await Promise.all(Array.from({ length: CONNECTING }, visit));
  }

  /** Resolves when everybody has left. */
  async end(): Promise<void> {
    this.#over.abort();
    await this.#running;
  }

  /** Runs something while nobody connects or waits for an answer: a gateway that stands still for seconds drops those who do. */
  async whileStill<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = promise;
    while (this.#busy.size > 0) await Promise.allSettled(this.#busy);
    try {
      return await work();
    } finally {
      this.#pause = undefined;
      resolve();
    }
  }

  /** Waits for a pause to end before it begins. */
  async #act<T>(work: () => Promise<T>): Promise<T> {
    while (this.#pause) await this.#pause;
    const acting = work();
    this.#busy.add(acting);
    try {
      return await acting;
    } finally {
      this.#busy.delete(acting);
    }
  }

  async #live(client: Client): Promise<void> {
    const { random, stayMs } = this.#options;
    // Not all at once.
    await this.#wait(random.between(0, stayMs));
    while (!this.#over.signal.aborted) {
      try {
        await (random.next() < SSE_SHARE ? this.#visitOverHttp(client) : this.#visit(client));
        this.visits++;
      } catch (error) {
        this.failures.push(`${client.name}: ${String(error)}`);
      }
      await this.#wait(random.between(0, stayMs / 3));
    }
  }

  async #visit(client: Client): Promise<void> {
    const { random, wsUrl, stayMs } = this.#options;
    await using socket = await this.#act(() => join(wsUrl, client));
    const variables = { chatId: client.chatId };
    await this.#wait(random.between(0, stayMs / 2));
    await this.#act(async () => {
      await socket.run({ query: TYPE, variables });
      if (random.next() >= SENDING_SHARE) return;
      await socket.run({ query: SEND, variables: { ...variables, content: "hello" } });
      await socket.run({ query: READ, variables });
      this.messages++;
    });
    await this.#wait(random.between(0, stayMs / 2));
    if (socket.socket.readyState !== socket.socket.OPEN) throw new Error("the gateway has closed the connection");
    await this.#act(() => leave(socket, random.pick(["close", "go away", "reset"])));
  }

  async #visitOverHttp({ token, chatId }: Client): Promise<void> {
    const { random, url, stayMs } = this.#options;
    const query = SUBSCRIPTIONS["messages"] ?? "";
    await using _ = await this.#act(() => openEventStream(url, { query, variables: { chatId } }, token));
    await this.#wait(random.between(0, stayMs));
    const { errors } = await this.#act(() => postOperation(url, { query: LOAD, variables: { chatId } }, token));
    if (errors) throw new Error(JSON.stringify(errors));
  }

  /** Shorter where it is ended. */
  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#over.signal }).catch(() => undefined);
  }
}

async function leave({ socket, transport }: GraphQLSocket, how: "close" | "go away" | "reset"): Promise<void> {
  const closed = once(socket, "close");
  if (how === "reset") transport.resetAndDestroy();
  else socket.close(how === "close" ? 1000 : undefined);
  await closed;
}
