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
import { WebSocketServer, type WebSocket } from "ws";
import { onBehalfOf } from "../../call-origin.ts";
import type { Sessions } from "../../chat/sessions.ts";
import { Unauthenticated } from "../../chat/unauthenticated.ts";
import type { Config } from "../../config/config.ts";
import { GatewayError, hasCode } from "../../errors.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Log } from "../../log.ts";
import { Turns } from "./arrivals.ts";
import { Accepted, executeAccepted } from "./accepted.ts";
import { Admission } from "./admission.ts";
import { CloseCode } from "./close-codes.ts";
import { Connection } from "./connection.ts";
import { Closes } from "./connection-counts.ts";
import { ConnectionCaller } from "./connection-caller.ts";
import { Connections } from "./connections.ts";
import { Inbox } from "./inbox.ts";
import { discard } from "./messages.ts";
import { Flusher } from "./outbox.ts";
import { socketOptions } from "./socket-options.ts";
import { SubscriptionRuns } from "./subscription-runs.ts";
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
  readonly #server: WebSocketServer;
  readonly #protocol: Server<Connection>;
  readonly #connections = new Connections();
  readonly #flusher = new Flusher();
  readonly #turns = new Turns();
  readonly #admission: Admission;
  readonly #subscriptions: SubscriptionRuns;
  readonly closes = new Closes();

  constructor(options: WebSocketsOptions) {
    this.#options = options;
    const { config } = options;
    this.#server = new WebSocketServer(socketOptions(config));
    this.#server.on("wsClientError", (error, socket) => {
      options.log.debug({ err: error }, "an upgrade request was refused");
      socket.once("finish", () => socket.destroy());
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
    this.#admission = new Admission(options.operations, config);
    this.#subscriptions = new SubscriptionRuns(options.operations, this.#admission, (connection, error) =>
      this.#onFailure(connection, undefined, error),
    );
    this.#protocol = makeServer<Record<string, unknown>, Connection>({
      connectionInitWaitTimeout: config.CONNECTION_INIT_TIMEOUT,
      onConnect: (context) => this.#open(context.connectionParams ?? {}, context.extra),
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

  #accept(socket: WebSocket, request: IncomingMessage): void {
    const { log, config } = this.#options;
    socket.on("error", (error) => log.debug({ err: error }, "a client broke the WebSocket protocol"));
    const client = this.#options.origins.of(request);
    const slot = this.#options.limits.take(client.address);
    if (typeof slot === "string") {
      socket.close(CloseCode.tryAgainLater, slot);
      return;
    }
    const connection = new Connection({
      socket,
      transport: request.socket,
      flusher: this.#flusher,
      budgetBytes: config.MAX_SEND_BUFFER,
      authorization: request.headers.authorization,
      client,
      slot,
      sessions: this.#options.sessions,
      heartbeatMs: config.HEARTBEAT_INTERVAL,
      turns: this.#turns,
      operationRate: config.RATE_LIMIT_OPERATIONS,
    });
    this.#connections.add(connection);
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) => connection.send(data),
        close: (code = CloseCode.internalError, reason = "") => connection.close(code, reason),
        onMessage: (handle) => this.#onMessage(connection, handle),
      },
      connection,
    );
    socket.once("close", (code, reason) => {
      this.#connections.delete(connection);
      this.closes.note(code);
      slot.release();
      logClosing(log, connection, code, reason.toString());
      connection.closed(code);
      // First of all what others see of it; the library's own clean-up waits for iterators.
      if (connection.session) this.#options.sessions.close(connection.session);
      for (const subscription of connection.live) subscription.complete();
      closed(code, reason.toString()).catch((error: unknown) =>
        log.error({ err: error }, "a connection did not end cleanly"),
      );
    });
  }

  #onMessage(connection: Connection, handle: (data: string) => Promise<void>): void {
    connection.inbox = new Inbox(
      {
        subscribe: (id, message) => this.#subscriptions.take(connection, id, message),
        handle: (message) =>
          // graphql-ws parses text and takes the rest as parsed; its types know the text only.
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is not JSON it is to refuse
          handle((message ?? "") as string).catch((error: unknown) => this.#onFailure(connection, message, error)),
      },
      connection,
    );
    const { arrivals, socket } = connection;
    socket.on("message", (data) => {
      // What a client sends after its connection was closed is not executed, even where the close has not arrived yet.
      if (!connection.isOpen) return;
      // Of what ws may give it gives a Buffer: `binaryType` is its default.
      arrivals.message(data instanceof Buffer ? data.toString() : "");
    });
    socket.on("ping", (data) => arrivals.ping(data));
    socket.on("pong", () => arrivals.control());
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
    const prepared = this.#subscriptions.prepared(payload);
    discard(payload);
    const admitted = await this.#admission.admit(
      connection,
      prepared,
      (operation) => new ConnectionCaller(connection, operation, id),
    );
    return "caller" in admitted ? new Accepted(operations.schema, admitted, connection, id) : admitted;
  }
}
