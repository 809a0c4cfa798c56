/** Stock graphql-ws clients that come back by themselves, and note what they hear. */
import { setTimeout as delay } from "node:timers/promises";
import { createClient, type Client } from "graphql-ws";
import { WebSocket } from "ws";

interface Delivery {
  readonly id: string;
  /** Which of the client's connections it came on. */
  readonly connection: number;
}

function stubborn(url: string, token: string, webSocketImpl: unknown): Client {
  return createClient({
    url,
    webSocketImpl,
    connectionParams: { token },
    lazy: false,
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: () => delay(20 + Math.random() * 80),
    onNonLazyError: () => undefined,
  });
}

export class Hearer implements AsyncDisposable {
  readonly heard: Delivery[] = [];
  readonly #client: Client;
  #socket: WebSocket | undefined;
  #connections = 0;

  constructor(url: string, token: string) {
    this.#client = stubborn(url, token, WebSocket);
    this.#client.on("connected", (socket) => {
      this.#connections++;
      this.#socket = socket as WebSocket;
    });
    this.#listen();
  }

  /** Reads nothing any more, until {@link resume}. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** As an application that is told of an error does: it subscribes again. */
  #listen(): void {
    this.#client.subscribe<{ messageAdded: { id: string } }>(
      { query: "subscription Messages { messageAdded { id content } }" },
      {
        next: ({ data }) => {
          if (data) this.heard.push({ id: data.messageAdded.id, connection: this.#connections });
        },
        error: () => undefined,
        complete: () => undefined,
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve(this.#client.dispose()).catch(() => undefined);
  }
}

export class Sender implements AsyncDisposable {
  /** The ids of what was answered. */
  readonly said: string[] = [];
  readonly #client: Client;
  readonly #chatId: string;
  #numbers = 0;

  constructor(url: string, token: string, chatId: string) {
    this.#client = stubborn(url, token, WebSocket);
    this.#chatId = chatId;
  }

  /** Resolves when it is answered, or refused. */
  async say(): Promise<void> {
    const query =
      "mutation Send($chatId: ID!, $content: String!) { sendMessage(chatId: $chatId, content: $content) { id } }";
    const variables = { chatId: this.#chatId, content: `message ${this.#numbers++}` };
    try {
      for await (const { data } of this.#client.iterate<{ sendMessage: { id: string } }>({ query, variables })) {
        if (data) this.said.push(data.sendMessage.id);
      }
    } catch {
      // It was not sent, and the sender knows.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve(this.#client.dispose()).catch(() => undefined);
  }
}
