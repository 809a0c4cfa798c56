/** graphql-transport-ws over ws: graphql-ws is the protocol, this is where it meets sockets, sessions and the pipeline. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ExecutionArgs, GraphQLError } from "graphql";
import {
  makeServer,
  MessageType,
  parseMessage,
  type Context as ProtocolContext,
  type Server,
  type SubscribePayload,
} from "graphql-ws";
import { WebSocketServer, type Server as SocketServer } from "ws";
import { onBehalfOf } from "../../call-origin.ts";
import type { Sessions } from "../../chat/sessions.ts";
import { Unauthenticated } from "../../chat/unauthenticated.ts";
import type { Config } from "../../config/config.ts";
import { GatewayError, hasCode } from "../../errors.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Log } from "../../log.ts";
import { Accepted, executeAccepted } from "./accepted.ts";
import { Admission } from "./admission.ts";
import { CloseCode } from "./close-codes.ts";
import { ClientSocket } from "./client-socket.ts";
import { Connection, type ConnectionServer } from "./connection.ts";
import { Closes } from "./connection-counts.ts";
import { ConnectionCaller } from "./connection-caller.ts";
import { Connections } from "./connections.ts";
import { Heartbeats } from "./heartbeat.ts";
import { discard } from "./messages.ts";
import { Flusher } from "./flusher.ts";
import { socketOptions } from "./socket-options.ts";
import { SubscriptionRuns } from "./subscription-runs.ts";
import { Turns } from "./turns.ts";
import { logClosing, logOpening } from "../connection-log.ts";
import type { ConnectionLimits } from "../connection-limits.ts";
import { connectionOrigin, type ClientOrigins } from "../client-origin.ts";
import { connectionToken } from "../token.ts";

/** Messages of the protocol that a client has no business to send. */
const SERVER_MESSAGES: ReadonlySet<MessageType> = new Set([
  MessageType.ConnectionAck,
  MessageType.Next,
  MessageType.Error,
]);

interface WebSocketsOptions {
  readonly config: Config;
  readonly origins: ClientOrigins;
  readonly sessions: Sessions;
  readonly operations: Operations;
  readonly limits: ConnectionLimits;
  readonly log: Log;
}

type Protocol = ProtocolContext<Record<string, unknown>, Connection>;

/** Subscriptions do not reach graphql-ws. */
function refuseSubscription(): never {
  throw new Error("graphql-ws was given a subscription to run");
}

export class WebSockets {
  readonly #options: WebSocketsOptions;
  readonly #server: SocketServer<typeof ClientSocket>;
  readonly #protocol: Server<Connection>;
  readonly #connections = new Connections();
  /** What its connections share. */
  readonly #shared: ConnectionServer;
  readonly #onError: (error: Error) => void;
  readonly #admission: Admission;
  readonly #subscriptions: SubscriptionRuns;
  readonly closes = new Closes();

  constructor(options: WebSocketsOptions) {
    this.#options = options;
    const { config } = options;
    this.#server = new WebSocketServer({ ...socketOptions(config), WebSocket: ClientSocket });
    this.#server.on("wsClientError", (error, socket) => {
      options.log.debug({ err: error }, "an upgrade request was refused");
      socket.once("finish", () => socket.destroy());
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
    this.#admission = new Admission(options.operations, config);
    this.#subscriptions = new SubscriptionRuns(options.operations, this.#admission, (connection, error) =>
      this.#onFailure(connection, undefined, error),
    );
    const onError = (error: Error): void => options.log.debug({ err: error }, "a client broke the WebSocket protocol");
    this.#onError = onError;
    this.#shared = {
      sessions: options.sessions,
      flusher: new Flusher(config.MAX_SEND_BUFFER),
      heartbeats: new Heartbeats(config.HEARTBEAT_INTERVAL),
      turns: new Turns(),
      operationRate: config.RATE_LIMIT_OPERATIONS,
      initTimeoutMs: config.CONNECTION_INIT_TIMEOUT,
      subscribe: (connection, id, message) => this.#subscriptions.take(connection, id, message),
      onFailure: (connection, message, error) => this.#onFailure(connection, message, error),
      onClose: (connection, code, reason) => this.#onClose(connection, code, reason),
    };
    this.#protocol = makeServer<Record<string, unknown>, Connection>({
      // Connections time that themselves: graphql-ws would keep the timer for as long as they are open.
      connectionInitWaitTimeout: 0,
      onConnect: (context) => {
        const { connectionParams = {}, extra } = context;
        // Kept by nobody but who reads them.
        Reflect.set(context, "connectionParams", undefined);
        return this.#open(connectionParams, extra);
      },
      onSubscribe: (context, id, payload) => this.#prepare(context, id, payload),
      execute: (args) => executeAccepted(options.operations, args),
      subscribe: refuseSubscription,
    });
  }

  /** Open connections. */
  get size(): number {
    return this.#connections.size;
  }

  get connections(): Pick<Connections, "count" | "of"> {
    return this.#connections;
  }

  /** Has a client that comes handled, after those that came before it: a thousand may come at once. */
  inTurn(handle: () => void): void {
    this.#shared.turns.run(handle);
  }

  /** Answers an upgrade request whose path and origin are right. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, request));
  }

  /**
   * Lets every client go with 1012, spread over `windowMs` so that they do not come back all at once, each after what it has in
   * flight is answered. Resolves when that is done; clients may still be closing then.
   */
  async drain(windowMs: number): Promise<void> {
    await this.#connections.drain(windowMs);
  }

  /** Resolves when no connection is left. */
  async closed(): Promise<void> {
    await this.#connections.closed();
  }

  /** Drops whoever is left, at once. */
  terminate(): void {
    this.#connections.terminate();
  }

  #accept(socket: ClientSocket, request: IncomingMessage): void {
    socket.on("error", this.#onError);
    const client = this.#options.origins.of(request);
    const slot = this.#options.limits.take(client.address);
    if (typeof slot === "string") {
      this.closes.note(CloseCode.tryAgainLater);
      socket.close(CloseCode.tryAgainLater, slot);
      return;
    }
    const connection = new Connection({
      socket,
      transport: request.socket,
      server: this.#shared,
      authorization: request.headers.authorization,
      client,
      slot,
    });
    this.#connections.add(connection);
    socket.bindTo(connection);
    connection.onClosed(this.#protocol.opened(connection, connection));
  }

  #onClose(connection: Connection, code: number, reason: string): void {
    const { log, sessions } = this.#options;
    this.#connections.delete(connection);
    this.closes.note(code);
    connection.slot.release();
    logClosing(log, connection, code, reason);
    connection.conclude(code);
    // First of all what others see of it; the library's own clean-up waits for iterators.
    if (connection.session) sessions.close(connection.session);
    connection
      .end(code, reason)
      .catch((error: unknown) => log.error({ err: error }, "a connection did not end cleanly"));
  }

  /** Everything of ours catches its own errors: what arrives here is a message that only servers send, or a defect. */
  #onFailure(connection: Connection, message: unknown, error: unknown): void {
    if (message !== undefined && SERVER_MESSAGES.has(parseMessage(message).type)) {
      connection.close(CloseCode.badRequest, "Invalid message received");
      return;
    }
    // A payload nested too deeply to be written again.
    if (error instanceof RangeError) {
      connection.close(CloseCode.badRequest, "Invalid message received");
      return;
    }
    this.#options.log.error({ err: error }, "a message could not be handled");
    connection.close(CloseCode.internalError, "Internal server error");
  }

  /** The payload of `connection_ack`, or false, which closes with 4403 where the socket is still open. */
  async #open(
    connectionParams: Record<string, unknown>,
    connection: Connection,
  ): Promise<Record<string, unknown> | false> {
    const { sessions, log } = this.#options;
    const token = connectionToken(connectionParams, connection.authorization);
    const client = connectionOrigin(connection.client, connectionParams);
    connection.introduce(client, connectionParams);
    discard(connectionParams);
    try {
      const origin = { requestId: client.requestId ?? randomUUID(), client };
      connection.slot.begin();
      const { user } = await onBehalfOf(origin, () => sessions.identify(token, client));
      const refusal = connection.slot.identify(user.id);
      if (refusal !== undefined) {
        connection.close(CloseCode.tryAgainLater, refusal);
        return false;
      }
      const session = await onBehalfOf(origin, () => sessions.open(token, client, () => connection.isOpen));
      if (!session) return false;
      connection.begin(session);
      logOpening(log, session, "websocket");
      return { userId: session.user.id, chatIds: [...session.viewer.chats.keys()] };
    } catch (error) {
      connection.slot.wait(connection);
      // NOT_PARTICIPANT: the REST API refuses the very list of the user's chats.
      if (hasCode(error, "UNAUTHENTICATED", "NOT_PARTICIPANT")) {
        connection.close(CloseCode.forbidden, error instanceof Unauthenticated ? error.reason : "Token refused");
        return false;
      }
      const err = error instanceof GatewayError ? (error.cause ?? error) : error;
      log.warn({ err }, "a connection could not be authorised");
      connection.close(CloseCode.tryAgainLater, "Try again later");
      return false;
    }
  }

  /** What graphql-ws is to run, or the errors that end the operation and leave the socket alone. */
  async #prepare(
    { extra: connection }: Protocol,
    id: string,
    payload: SubscribePayload,
  ): Promise<ExecutionArgs | readonly GraphQLError[]> {
    const { operations } = this.#options;
    const prepared = this.#subscriptions.prepared(connection, payload);
    discard(payload);
    const admitted = await this.#admission.admit(
      connection,
      prepared,
      (operation) => new ConnectionCaller(connection, operation, id),
    );
    return "caller" in admitted ? new Accepted(operations.schema, admitted, connection, id) : admitted;
  }
}
