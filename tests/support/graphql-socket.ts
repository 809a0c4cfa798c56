/** graphql-transport-ws spoken by hand over a stock `ws` socket: for what has to be seen to the byte, and for readers that do not read. */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { FormattedExecutionResult, GraphQLFormattedError } from "graphql";
import { WebSocket, type ClientOptions } from "ws";
import { Queue } from "./queue.ts";

/** An operation as it stands in a `subscribe` message. */
export interface RawOperation {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly operationName?: string | undefined;
}

/** What one operation receives. */
export interface RawResults {
  readonly id: string;
  /** The next `next` message's payload, as the text that it came in. Rejects where the operation has ended. */
  next(): Promise<string>;
  /** Every payload so far, what was taken included. */
  readonly all: readonly string[];
  /** Resolves to the errors that the server ended it with, to none where it was completed. */
  readonly ended: Promise<readonly GraphQLFormattedError[]>;
}

export interface GraphQLSocket extends AsyncDisposable {
  readonly socket: WebSocket;
  /** The TCP socket below. */
  readonly transport: Socket;
  /** Every message of the server so far, in order. */
  readonly messages: readonly string[];
  /** Sends `subscribe`. An id of its own is made where none is given. */
  start(operation: RawOperation, id?: string): RawResults;
  /** Runs a query or mutation: what was sent before its answer has then been received. Rejects where it has errors. */
  run(operation: RawOperation): Promise<Record<string, unknown>>;
}

export interface SocketOptions extends ClientOptions {
  /** Beside the token. */
  readonly connectionParams?: Readonly<Record<string, unknown>>;
}

/** Resolves when the connection is acknowledged. Disposing it drops it. */
export async function openGraphQLSocket(
  wsUrl: string,
  token: string | undefined,
  { connectionParams, ...options }: SocketOptions = {},
): Promise<GraphQLSocket> {
  const socket = new WebSocket(wsUrl, "graphql-transport-ws", options);
  const upgraded = once(socket, "upgrade") as Promise<[{ readonly socket: Socket }]>;
  const [[{ socket: transport }]] = await Promise.all([upgraded, once(socket, "open")]);
  const conversation = new Conversation((text) => socket.send(text));
  socket.on("message", (data: Buffer) => conversation.take(data.toString()));
  socket.on("close", () => conversation.end());
  socket.on("error", () => undefined);
  await conversation.open(token, connectionParams);
  return {
    socket,
    transport,
    messages: conversation.messages,
    start: (operation, id) => conversation.start(operation, id),
    run: (operation) => conversation.run(operation),
    [Symbol.asyncDispose]: async () => socket.terminate(),
  };
}

/** The client's side of the protocol, over whatever carries texts. */
export class Conversation {
  readonly messages: string[] = [];
  readonly #send: (text: string) => void;
  readonly #operations = new Map<string, Running>();
  readonly #acknowledged = Promise.withResolvers<void>();
  #ids = 0;

  constructor(send: (text: string) => void) {
    this.#send = send;
    // Nobody has to wait for it.
    this.#acknowledged.promise.catch(() => undefined);
  }

  open(token: string | undefined, params: Readonly<Record<string, unknown>> = {}): Promise<void> {
    this.#send(JSON.stringify({ type: "connection_init", payload: { token, ...params } }));
    return this.#acknowledged.promise;
  }

  start(payload: RawOperation, id = `operation-${++this.#ids}`): RawResults {
    const running = new Running(id);
    this.#operations.set(id, running);
    this.#send(JSON.stringify({ id, type: "subscribe", payload }));
    return running;
  }

  async run(operation: RawOperation): Promise<Record<string, unknown>> {
    const results = this.start(operation);
    const { data, errors } = JSON.parse(await results.next()) as FormattedExecutionResult;
    // The server has then nothing more to say of it.
    await results.ended;
    if (errors || !data) throw new Error(JSON.stringify(errors));
    return data;
  }

  take(text: string): void {
    this.messages.push(text);
    const message = JSON.parse(text) as { type: string; id?: string; payload?: unknown };
    if (message.type === "connection_ack") this.#acknowledged.resolve();
    const operation = this.#operations.get(message.id ?? "");
    if (message.type === "next") operation?.take(text.slice(text.indexOf('"payload":') + '"payload":'.length, -1));
    if (message.type === "complete") operation?.end([]);
    if (message.type === "error") operation?.end(message.payload as readonly GraphQLFormattedError[]);
  }

  /** The connection is gone. */
  end(): void {
    this.#acknowledged.reject(new Error("the connection was closed"));
    for (const operation of this.#operations.values()) operation.break();
  }
}

class Running implements RawResults {
  readonly id: string;
  readonly all: string[] = [];
  readonly #waiting = new Queue<string>();
  readonly #ended = Promise.withResolvers<readonly GraphQLFormattedError[]>();

  constructor(id: string) {
    this.id = id;
    this.#ended.promise.catch(() => undefined);
  }

  get ended(): Promise<readonly GraphQLFormattedError[]> {
    return this.#ended.promise;
  }

  next(): Promise<string> {
    return this.#waiting.next();
  }

  take(payload: string): void {
    this.all.push(payload);
    this.#waiting.push(payload);
  }

  end(errors: readonly GraphQLFormattedError[]): void {
    this.#ended.resolve(errors);
    this.#waiting.end(new Error(`the operation has ended: ${JSON.stringify(errors)}`));
  }

  break(): void {
    this.#ended.reject(new Error("the connection was closed"));
    this.#waiting.end(new Error("the connection was closed"));
  }
}
