/** One WebSocket connection: its socket, its session, its operations under way. */
import type { WebSocket } from "ws";
import type { ClientOrigin } from "../../call-origin.ts";
import type { Session, SessionOwner } from "../../chat/session.ts";
import type { Sessions } from "../../chat/sessions.ts";
import type { Me } from "../../chat/model.ts";
import type { Unauthenticated } from "../../chat/unauthenticated.ts";
import { GatewayError } from "../../errors.ts";
import type { Rate } from "../../config/config.ts";
import { Arrivals } from "./arrivals.ts";
import type { Slot } from "../connection-limits.ts";
import { CloseCode, fitting } from "./close-codes.ts";
import { Executions } from "./executions.ts";
import type { Flusher } from "./flusher.ts";
import { Heartbeat, type Heartbeats } from "./heartbeat.ts";
import { HeldPoints } from "./held-points.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import type { RefusedOperations } from "./refused-operations.ts";
import { readMessage, type ParsedMessage } from "./messages.ts";
import { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";
import { RunningOperations } from "./running-operations.ts";
import type { Turns } from "./turns.ts";
import type { OutboxOwner } from "./watched-outbox.ts";

const MAX_CLIENT_ID_LENGTH = 128;

/** What the connections of a server share. */
export interface ConnectionServer {
  readonly sessions: Sessions;
  readonly flusher: Flusher;
  readonly heartbeats: Heartbeats;
  readonly turns: Turns;
  /** Operations that a user may run. */
  readonly operationRate: Rate;
  /** Milliseconds that a client has to send `connection_init`. */
  readonly initTimeoutMs: number;
  /** As {@link MessageHandler.subscribe}. */
  subscribe(connection: Connection, id: string, message: ParsedMessage): boolean;
  /** The socket is closed. */
  onClose(connection: Connection, code: number, reason: string): void;
  /** A message could not be handled; undefined where a subscription failed. */
  onFailure(connection: Connection, message: unknown, error: unknown): void;
}

interface ConnectionOptions extends Pick<OutboxOptions, "socket" | "transport"> {
  readonly server: ConnectionServer;
  readonly authorization: string | undefined;
  readonly client: ClientOrigin;
  readonly slot: Slot;
}

/** As little as is possible is made before it is needed: a server has very many of them, which do nothing. */
export class Connection implements InboxOwner, OutboxOwner, SessionOwner {
  readonly socket: WebSocket;
  /** Its place among the connections that this instance takes. */
  readonly slot: Slot;
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  /** What the client sends goes through both. */
  readonly arrivals: Arrivals;
  readonly inbox: Inbox;
  /** Its operations that are not over. */
  readonly running = new RunningOperations();
  /** Undefined until the first one is. */
  refused: RefusedOperations | undefined;
  /** The `Authorization` header of the upgrade request, until the client has said who it is. */
  authorization: string | undefined;
  /** What the client says of itself, in the upgrade request and then in `connectionParams`. */
  client: ClientOrigin;
  readonly #server: ConnectionServer;
  /** Until it is initialised. */
  #initTimer: NodeJS.Timeout | undefined;
  /** Undefined until the time for it is over. Later messages are too late. */
  #initBy: number | undefined;
  /** Where graphql-ws takes messages. */
  #protocol: ((message: string) => Promise<void>) | undefined;
  #onClosed: ((code: number, reason: string) => Promise<void>) | undefined;
  #session: Session | undefined;
  /** Undefined until there is a query or a mutation. */
  #executions: Executions | undefined;
  #clientId: string | undefined;
  #wantsStates = false;
  #isThrottled = false;
  #isSlowed = false;
  #isDraining = false;
  /** The positions of the client in each subscription that it may resume. */
  readonly points = new HeldPoints();
  /** How many of its subscriptions began where. */
  #starts: Record<string, number> | undefined;

  constructor({ socket, transport, server, authorization, client, slot }: ConnectionOptions) {
    this.#server = server;
    this.socket = socket;
    this.slot = slot;
    slot.wait(this);
    this.authorization = authorization;
    this.client = client;
    this.outbox = createOutbox({ socket, transport, flusher: server.flusher, owner: this });
    this.heartbeat = new Heartbeat(this, server.heartbeats);
    this.arrivals = new Arrivals(this, server.turns, server.operationRate);
    this.inbox = new Inbox(this);
    this.#initTimer = setTimeout(onInitTimeout, server.initTimeoutMs, this);
  }

  /** The client had its time to say who it is. What has arrived by then and waits for its turn may say it. */
  initLate(): void {
    const { arrived, handled } = this.arrivals;
    this.#initBy ??= arrived;
    if (handled < this.#initBy) this.#initTimer?.refresh();
    else this.close(CloseCode.initTimeout, "Connection initialisation timeout");
  }

  /** As the handshake has agreed on it. */
  get protocol(): string {
    return this.socket.protocol;
  }

  /** Has messages handled that {@link subscribe} does not take. */
  onMessage(handle: (message: string) => Promise<void>): void {
    this.#protocol = handle;
  }

  /** Has graphql-ws told when the socket is closed. */
  onClosed(listener: (code: number, reason: string) => Promise<void>): void {
    this.#onClosed = listener;
  }

  /** @internal */
  subscribe(id: string, message: ParsedMessage): boolean {
    return this.#server.subscribe(this, id, message);
  }

  /** @internal */
  async handle(message: ParsedMessage): Promise<void> {
    try {
      // graphql-ws parses text and takes the rest as parsed; its types know the text only.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is not JSON it is to refuse
      await this.#protocol?.((message ?? "") as string);
    } catch (error) {
      this.#server.onFailure(this, message, error);
    }
  }

  /** There is room for more. */
  onRoom(): void {
    this.#unthrottle();
    this.#executions?.goOn();
    for (const operation of this.inbox.running) operation.resume?.();
  }

  /** @returns whether the client is still to be asked what has arrived. Without a position that is remembered there is nothing to confirm. */
  onUnconfirmed(isDue: boolean, bytes: number): boolean {
    const hasPoints = !this.points.isEmpty;
    return this.heartbeat.ask(isDue && hasPoints, bytes) && hasPoints;
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  /** How many of its subscriptions to messages and receipts were new, resumed, began after a cursor, or had expired. */
  get starts(): Readonly<Record<string, number>> {
    return this.#starts ?? {};
  }

  noteStart(start: string): void {
    this.#starts ??= {};
    this.#starts[start] = (this.#starts[start] ?? 0) + 1;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** Of the session that the connection has. @throws GatewayError UNAUTHENTICATED where there is none, or it has ended. */
  async identity(): Promise<Session> {
    if (!this.#session) throw new GatewayError("UNAUTHENTICATED");
    if (this.#session.ended) throw this.#session.ended;
    return this.#session;
  }

  /** What a client calls itself, so that its operations' ids need be unique on its own connections only. */
  get clientId(): string | undefined {
    return this.#clientId;
  }

  /** Whether the client asked to be told the states of its subscriptions, and of a restart. */
  get wantsStates(): boolean {
    return this.#wantsStates;
  }

  /** The client has said what it is. Of what it said nothing else is kept. */
  introduce(client: ClientOrigin, { clientId, streamStates }: Readonly<Record<string, unknown>>): void {
    this.client = client;
    this.authorization = undefined;
    clearTimeout(this.#initTimer);
    this.#initTimer = undefined;
    this.#wantsStates = streamStates === true;
    if (typeof clientId === "string" && clientId !== "" && clientId.length <= MAX_CLIENT_ID_LENGTH) {
      this.#clientId = clientId;
    }
  }

  /** Takes the session, whose end by the gateway ends the connection. */
  begin(session: Session): void {
    this.#session = session;
    session.bindTo(this);
  }

  /** Another connection needs the place: this one has not said who it is. A client that does not end its closing is cut off. */
  evict(): void {
    if (this.isOpen) this.close(CloseCode.tryAgainLater, "Too many connections");
    else this.socket.terminate();
  }

  /** Does nothing where the socket is closing already: the first reason counts. */
  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.points.noteLast();
    this.outbox.flush();
    this.#closeSocket(code, reason);
  }

  /** A client that answers the close has got everything that was written before: it confirms as the answer to a ping does. */
  #closeSocket(code: number, reason: string): void {
    this.points.noteClose();
    this.socket.close(code, fitting(reason));
  }

  /** Nothing more is delivered, not even what waits; a client that has not read for a while is not told why. */
  sessionEnded({ reason }: Unauthenticated): void {
    if (!this.isOpen) return;
    // What is dropped here has not been given to the client, though its streams think so, and a ping among it noted it.
    if (this.outbox.discard()) this.points.forgetNoted();
    else this.points.noteLast();
    // What ws is compressing counts too: it would go out before the close.
    if (this.socket.bufferedAmount > 0) this.socket.terminate();
    else this.#closeSocket(CloseCode.forbidden, reason);
  }

  /**
   * Resolves when the next message may come: at once while there is room, so that it leaves in the same write, else when this one has
   * left the process or the socket is closed. Never rejects: a dead socket tells by closing.
   */
  async send(data: string): Promise<void> {
    if (!this.isOpen) return;
    if (this.outbox.isLagging) await new Promise<void>((resolve) => this.outbox.send(data, resolve));
    else this.outbox.send(data);
  }

  /** The queries and mutations that run, and those that wait. */
  get executions(): Executions {
    return (this.#executions ??= new Executions(this));
  }

  /** Whether nothing is read from the client because it does not read either. */
  get isThrottled(): boolean {
    return this.#isThrottled;
  }

  /** Reads nothing more while more than the budget waits for the client: what it asks for would wait as well. */
  throttle(): void {
    if (this.#isThrottled || !this.outbox.isLagging) return;
    this.#isThrottled = true;
    this.#readOrPause();
  }

  #unthrottle(): void {
    if (!this.#isThrottled) return;
    this.#isThrottled = false;
    this.#readOrPause();
    this.arrivals.resume();
  }

  #readOrPause(): void {
    const isWanted = !this.#isThrottled && !this.#isSlowed && !this.#isDraining;
    if (isWanted === this.socket.isPaused) this.socket[isWanted ? "resume" : "pause"]();
  }

  /** Whether the messages of the client are still taken. */
  get isReceiving(): boolean {
    return this.isOpen && !this.#isDraining;
  }

  /** Reads nothing more while messages of the client wait for their turn. */
  setSlowed(isSlowed: boolean): void {
    this.#isSlowed = isSlowed;
    this.#readOrPause();
  }

  /** The client goes on far above its limit. */
  onFlood(reason = "Too many messages"): void {
    if (this.isOpen) this.slot.noteFlood();
    this.close(CloseCode.tooManyRequests, reason);
  }

  read(text: string): void {
    this.inbox.receive(readMessage(text), text.length);
    this.throttle();
  }

  pong(data: Buffer): void {
    this.outbox.pong(data);
    this.throttle();
  }

  /** The socket is closed. @param code the client's own, or its answer to the gateway's; 1006 where there was none. */
  closed(code: number, reason: string): void {
    this.#server.onClose(this, code, reason);
  }

  /** Stops what the connection does by itself, and says what becomes of its positions. */
  conclude(code: number): void {
    clearTimeout(this.#initTimer);
    this.heartbeat.stop();
    this.arrivals.close();
    this.#executions?.goOn();
    this.points.conclude(code);
  }

  /** Ends what runs. Resolves when graphql-ws has ended its part. */
  async end(code: number, reason: string): Promise<void> {
    for (const operation of this.inbox.running) operation.complete?.();
    await this.#onClosed?.(code, reason);
  }

  /** Goes on with another token of the same user. */
  refresh(session: Session, token: string): Promise<Me> {
    return this.#server.sessions.refresh(session, token, this.client.address);
  }

  /** The connection will be closed for a restart. */
  announceRestart(inMs: number): void {
    if (!this.#wantsStates || !this.isOpen) return;
    this.outbox.send(JSON.stringify({ type: "ping", payload: { restarting: { inMs: Math.round(inMs) } } }));
  }

  /** Takes no further message, lets what is in flight be answered, then closes. */
  async drain(code: number, reason: string): Promise<void> {
    if (!this.isOpen) return;
    this.#isDraining = true;
    this.#readOrPause();
    await this.running.answered();
    // The answer of the last operation is written in the promise jobs that follow its execution.
    await new Promise((resolve) => setImmediate(resolve));
    this.close(code, reason);
    // Only a socket that reads sees the client's side of the closing handshake.
    if (this.socket.isPaused) this.socket.resume();
  }
}

function onInitTimeout(connection: Connection): void {
  connection.initLate();
}
