/**
 * What was said, and what each client heard of it: numbered messages, sent by clients that repeat themselves until they are answered,
 * and the record of every listener. The verdict is a list of what is wrong with it.
 */
import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { print } from "graphql";
import type { ClientOptions } from "graphql-ws";
import { connect, type TestClient } from "./client.ts";
import {
  MeDocument,
  MessageAddedDocument,
  SendMessageDocument,
  type MessageAddedSubscription,
} from "./generated/graphql.ts";
import { contestedIn, faultsOf, orderFaults, sample, type Heard, type Said } from "./verdict.ts";

/** Before a fault: what has been answered, and has not reached every instance. */
const ANSWERED_MS = 250;

/** After a fault: until every instance has read what it has missed. */
const HEALING_MS = 1000;

/** Comes back at once, for as long as it takes. */
export const STUBBORN: Pick<ClientOptions, "retryAttempts" | "shouldRetry" | "retryWait"> = {
  retryAttempts: Infinity,
  shouldRetry: () => true,
  retryWait: backSoon,
};

export interface Listener {
  readonly name: string;
  /** Where it has to hear everything. */
  readonly chatIds: readonly string[];
  /** From when on; on the process's clock. */
  readonly since: number;
  readonly heard: readonly Heard[];
  /** Times that it was connected. */
  readonly connections: number;
  /** How its subscription ended by itself, which it must not. */
  readonly end: string | undefined;
}

export interface Talker {
  readonly client: TestClient;
  /** Sends the next one and resolves when it is answered; rejects where the answer is an error. */
  say(): Promise<void>;
  /** Sends one after the other until the promise is resolved and `atLeast` have been answered. Resolves to how many have been. */
  talkUntil(end: Promise<unknown>, atLeast?: number): Promise<number>;
}

export class History implements AsyncDisposable {
  readonly said: Said[] = [];
  readonly #listeners: Listener[] = [];
  readonly #outages: { readonly from: number; to: number }[] = [];
  #isLogLost = false;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #clients = new AsyncDisposableStack();

  /** A client that hears all chats of its user. A function tells it at each attempt where to connect. Resolves when it is listening. */
  async listen(
    name: string,
    wsUrl: string | (() => string),
    token: string,
    chatIds: readonly string[],
  ): Promise<Listener> {
    const heard: Heard[] = [];
    const state = { connections: 0, end: undefined as string | undefined };
    const client = this.#connect(wsUrl, token, () => state.connections++);
    const stop = client.client.subscribe<MessageAddedSubscription>(
      { query: print(MessageAddedDocument) },
      {
        next: ({ data, errors }) => {
          if (errors) state.end = JSON.stringify(errors);
          else if (data) heard.push({ ...data.messageAdded, connection: state.connections, at: performance.now() });
          this.#changes.emit("heard");
        },
        error: (error) => {
          state.end = JSON.stringify(error);
          this.#changes.emit("heard");
        },
        complete: () => (state.end ??= "completed"),
      },
    );
    this.#clients.defer(() => stop());
    // Operations of one connection are admitted in their order.
    await client.run(MeDocument);
    const listener: Listener = {
      name,
      heard,
      chatIds,
      since: performance.now(),
      get connections() {
        return state.connections;
      },
      get end() {
        return state.end;
      },
    };
    this.#listeners.push(listener);
    return listener;
  }

  /** A client that sends to one chat. */
  talker(name: string, wsUrl: string, token: string, chatId: string): Talker {
    const client = this.#connect(wsUrl, token);
    let numbers = 0;
    const say = async (): Promise<void> => {
      const number = ++numbers;
      const from = performance.now();
      const variables = { chatId, content: `${name} ${number}`, clientMessageId: randomUUID() };
      const { sendMessage } = await client.run(SendMessageDocument, variables);
      this.said.push({ id: sendMessage.id, chatId, content: variables.content, from, to: performance.now() });
    };
    return {
      client,
      say,
      async talkUntil(end, atLeast = 0) {
        const talk = { isOver: false };
        const over = (): void => void (talk.isOver = true);
        end.then(over, over);
        let count = 0;
        for (; !talk.isOver || count < atLeast; count++) await say();
        return count;
      },
    };
  }

  /**
   * Redis has lost its log: who comes back is given what it missed in the order in which the REST API has it. That is each sender's own,
   * but of messages that were under way at the same time perhaps another than others heard.
   */
  logLost(): void {
    this.#isLogLost = true;
  }

  /** Messages that were under way meanwhile may stand in different places with clients of different instances. */
  async during<T>(fault: () => Promise<T>): Promise<T> {
    const outage = { from: performance.now() - ANSWERED_MS, to: Infinity };
    this.#outages.push(outage);
    const result = await fault();
    outage.to = performance.now() + HEALING_MS;
    return result;
  }

  /** Resolves when every listener has heard everything that was answered so far, or when that does not come about. */
  async complete(patienceMs = 10_000): Promise<void> {
    const patience = AbortSignal.timeout(patienceMs);
    while (this.#listeners.some((listener) => this.#faultsOf(listener).lost.length > 0)) {
      try {
        await once(this.#changes, "heard", { signal: patience });
      } catch {
        return;
      }
    }
  }

  /** What is wrong, a sentence each: lost, twice, out of order, ended. */
  verdict(): readonly string[] {
    const contested = contestedIn(this.said, this.#outages);
    const isComparable = ({ connections }: Listener): boolean => !this.#isLogLost || connections === 1;
    return this.#listeners.flatMap((listener, index) => {
      const others = isComparable(listener) ? this.#listeners.slice(0, index).filter(isComparable) : [];
      const { lost, twice } = this.#faultsOf(listener);
      return [
        ...(listener.end === undefined ? [] : [`ended: ${listener.end}`]),
        ...(lost.length > 0 ? [`${lost.length} lost: ${sample(lost)}`] : []),
        ...(twice.length > 0 ? [`${twice.length} twice: ${sample(twice)}`] : []),
        ...orderFaults(listener.heard, others, contested),
      ].map((fault) => `${listener.name}: ${fault}`);
    });
  }

  /** How many events came once more after a reconnect, as they may. */
  get repeated(): number {
    return this.#listeners.reduce((sum, { heard }) => sum + heard.length - new Set(heard.map(({ id }) => id)).size, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clients.disposeAsync();
  }

  #faultsOf(listener: Listener): ReturnType<typeof faultsOf> {
    const { chatIds, since, heard } = listener;
    const expected = this.said.filter(({ chatId, from }) => from >= since && chatIds.includes(chatId));
    return faultsOf(heard, expected);
  }

  #connect(url: string | (() => string), token: string, onConnected?: () => void): TestClient {
    const client = connect("", token, { ...STUBBORN, url });
    this.#clients.defer(() => goodbye(client));
    if (onConnected) client.client.on("connected", onConnected);
    return client;
  }
}

/** Ends a client, whether or not it is connected right now. */
export async function goodbye(client: TestClient): Promise<void> {
  // One that is just coming back, to an instance that is gone, says so.
  await Promise.resolve(client[Symbol.asyncDispose]()).catch(() => undefined);
}

async function backSoon(): Promise<void> {
  // Not all at the same time, and not so fast that the load balancer has no other choice than the one that is gone.
  await sleep(20 + Math.random() * 80);
}
