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
import { judge, lostOf, type Heard, type Received, type Said, type Verdict } from "./verdict.ts";

/** Comes back at once, for as long as it takes. */
export const STUBBORN: Pick<ClientOptions, "retryAttempts" | "shouldRetry" | "retryWait"> = {
  retryAttempts: Infinity,
  shouldRetry: () => true,
  retryWait: backSoon,
};

export interface Listener extends Received {
  readonly client: TestClient;
  /** Times that it was connected. */
  readonly connections: number;
}

export interface Talker {
  readonly client: TestClient;
  /** Sends the next one and resolves when it is answered; rejects where the answer is an error, and repeats it the next time. */
  say(): Promise<void>;
  /** Sends one after the other until the promise is resolved and `atLeast` have been answered. Resolves to how many have been. */
  talkUntil(end: Promise<unknown>, atLeast?: number): Promise<number>;
}

export class History implements AsyncDisposable {
  readonly said: Said[] = [];
  readonly #listeners: Listener[] = [];
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #clients = new AsyncDisposableStack();
  readonly #options: Partial<ClientOptions>;

  /** @param options of every client. */
  constructor(options: Partial<ClientOptions> = STUBBORN) {
    this.#options = options;
  }

  /**
   * A client that hears all chats of its user. A function tells it at each attempt where to connect. Resolves when the gateway says that
   * its subscription is live, which it is not without Redis, or, with `isLive: false`, when it answers what is asked after it.
   */
  async listen(
    name: string,
    wsUrl: string | (() => string),
    token: string,
    chatIds: readonly string[],
    { isLive = true } = {},
  ): Promise<Listener> {
    const heard: Heard[] = [];
    const state = { connections: 0, end: undefined as string | undefined };
    const client = this.#connect(wsUrl, token, isLive, () => state.connections++);
    const live = isLive ? liveOn(client) : undefined;
    const stop = client.client.subscribe<MessageAddedSubscription>(
      { query: print(MessageAddedDocument) },
      {
        next: ({ data, errors }) => {
          if (errors) state.end = JSON.stringify(errors);
          else if (data) heard.push(heardOn(state.connections, data.messageAdded));
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
    await (live ?? client.run(MeDocument));
    const listener: Listener = {
      name,
      client,
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
    return this.talkerOn(this.#connect(wsUrl, token, false), name, chatId);
  }

  /** The same on a client that is there already. */
  talkerOn(client: TestClient, name: string, chatId: string): Talker {
    let numbers = 0;
    const next = (): { chatId: string; content: string; clientMessageId: string; from: number } => ({
      chatId,
      content: `${name} ${++numbers}`,
      clientMessageId: randomUUID(),
      from: performance.now(),
    });
    let refused: ReturnType<typeof next> | undefined;
    const say = async (): Promise<void> => {
      const { from, ...variables } = (refused ??= next());
      const { sendMessage } = await client.run(SendMessageDocument, variables);
      refused = undefined;
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

  /** Resolves when every listener has heard everything that was answered so far, or when nobody has heard anything for so long. */
  async complete(patienceMs = 20_000): Promise<void> {
    const said = [...this.said];
    while (this.#listeners.some((listener) => lostOf(listener, said).length > 0)) {
      try {
        await once(this.#changes, "heard", { signal: AbortSignal.timeout(patienceMs) });
      } catch {
        return;
      }
    }
  }

  /** What is wrong, a sentence each: lost, twice, out of order, ended. */
  verdict(): readonly string[] {
    return this.judge().faults;
  }

  judge(): Verdict {
    return judge(this.said, this.#listeners);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clients.disposeAsync();
  }

  #connect(url: string | (() => string), token: string, wantsStates: boolean, onConnected?: () => void): TestClient {
    const states = wantsStates ? { connectionParams: { token, streamStates: true } } : {};
    const client = connect("", token, { ...this.#options, url, ...states });
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

/** Resolves when the client's one subscription is live. */
async function liveOn({ client }: TestClient): Promise<void> {
  await new Promise<void>((resolve) => {
    const off = client.on("ping", (isReceived, payload) => {
      const { subscription } = (payload ?? {}) as { subscription?: { state?: unknown } };
      if (!isReceived || subscription?.state !== "live") return;
      off();
      resolve();
    });
  });
}

function heardOn(connection: number, { id, chatId, content }: MessageAddedSubscription["messageAdded"]): Heard {
  return { id, chatId, content, connection };
}

async function backSoon(): Promise<void> {
  // Not all at the same time, and not so fast that the load balancer has no other choice than the one that is gone.
  await sleep(20 + Math.random() * 80);
}
