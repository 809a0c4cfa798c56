/** One WebSocket connection: its socket, its session, its operations under way. */
import type { WebSocket } from "ws";
import type { ClientOrigin } from "../../call-origin.ts";
import type { Session } from "../../chat/session.ts";
import type { Sessions } from "../../chat/sessions.ts";
import type { Me } from "../../chat/model.ts";
import type { UnauthenticatedReason } from "../../chat/unauthenticated.ts";
import { GatewayError } from "../../errors.ts";
import type { ResumePoint } from "../../recovery/resume.ts";
import type { Rate } from "../../config/config.ts";
import { Arrivals, type Turns } from "./arrivals.ts";
import type { Slot } from "../connection-limits.ts";
import { CloseCode } from "./close-codes.ts";
import { Executions } from "./executions.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Inbox } from "./inbox.ts";
import type { RefusedOperations } from "./refused-operations.ts";
import { readMessage } from "./messages.ts";
import { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";
import { RunningOperations } from "./running-operations.ts";

const MAX_CLIENT_ID_LENGTH = 128;

const MAX_REASON_BYTES = 123;

interface ConnectionOptions extends Pick<OutboxOptions, "budgetBytes" | "flusher" | "socket" | "transport"> {
  readonly authorization: string | undefined;
  readonly client: ClientOrigin;
  readonly slot: Slot;
  readonly sessions: Sessions;
  readonly heartbeatMs: number;
  readonly turns: Turns;
  /** Operations that a user may run. */
  readonly operationRate: Rate;
}

/** What a connection tells its subscriptions. */
interface RunningSubscription {
  /** There is room again. */
  resume(): void;
  /** Nobody wants it any more. */
  complete(): void;
}

export class Connection {
  readonly socket: WebSocket;
  /** Its place among the connections that this instance takes. */
  readonly slot: Slot;
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  /** What the client sends goes through both. */
  readonly arrivals: Arrivals;
  inbox: Inbox | undefined;
  /** Its operations that are not over. */
  readonly running = new RunningOperations();
  /** Undefined until the first one is. */
  refused: RefusedOperations | undefined;
  /** The running subscriptions. */
  readonly live = new Set<RunningSubscription>();
  /** The `Authorization` header of the upgrade request, until the client has said who it is. */
  authorization: string | undefined;
  /** What the client says of itself, in the upgrade request and then in `connectionParams`. */
  client: ClientOrigin;
  readonly #sessions: Sessions;
  #session: Session | undefined;
  /** Undefined until there is a query or a mutation. */
  #executions: Executions | undefined;
  #clientId: string | undefined;
  #wantsStates = false;
  #isThrottled = false;
  #isSlowed = false;
  #isDraining = false;
  /** The keys of positions of which the client was told that they have expired. */
  readonly expired = new Set<string>();
  /** The positions of the client in each subscription that it may resume. */
  readonly #points = new Set<ResumePoint>();
  /** Of those that the end of the connection has ended: what becomes of them its close code tells. */
  readonly #orphaned = new Set<ResumePoint>();
  /** How many of its subscriptions began where. */
  #starts: Record<string, number> | undefined;
  #hasSaidClose = false;
  #closeCode: number | undefined;

  constructor(options: ConnectionOptions) {
    const { socket, transport, flusher, budgetBytes, authorization, client, sessions, heartbeatMs } = options;
    this.#sessions = sessions;
    this.socket = socket;
    this.slot = options.slot;
    this.slot.wait(this);
    this.authorization = authorization;
    this.client = client;
    const onRoom = (): void => {
      this.#unthrottle();
      this.#executions?.goOn();
      for (const subscription of this.live) subscription.resume();
    };
    // Without a position that is remembered there is nothing to confirm.
    const onUnconfirmed = (): boolean => this.#points.size > 0 && this.heartbeat.ask();
    this.outbox = createOutbox({ socket, transport, flusher, budgetBytes, onRoom, onUnconfirmed });
    this.heartbeat = new Heartbeat(this, heartbeatMs);
    this.arrivals = new Arrivals(this, options.turns, options.operationRate);
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  /** Whether it is over: the socket has told so. */
  get isClosed(): boolean {
    return this.#closeCode !== undefined;
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
    this.#wantsStates = streamStates === true;
    if (typeof clientId === "string" && clientId !== "" && clientId.length <= MAX_CLIENT_ID_LENGTH) {
      this.#clientId = clientId;
    }
  }

  /** Takes the session, whose end by the gateway ends the connection. */
  begin(session: Session): void {
    this.#session = session;
    session.onEnd(({ reason }) => this.#revoke(reason));
  }

  /** Another connection needs the place: this one has not said who it is. A client that does not end its closing is cut off. */
  evict(): void {
    if (this.isOpen) this.close(CloseCode.tryAgainLater, "Too many connections");
    else this.socket.terminate();
  }

  /** Does nothing where the socket is closing already: the first reason counts. */
  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.noteResumePoints();
    this.outbox.flush();
    this.#closeSocket(code, reason);
  }

  /** A client that answers the close has got everything that was written before: it confirms as the answer to a ping does. */
  #closeSocket(code: number, reason: string): void {
    this.#hasSaidClose = true;
    this.socket.close(code, fitting(reason));
  }

  /** Nothing more is delivered, not even what waits; a client that has not read for a while is not told why. */
  #revoke(reason: UnauthenticatedReason): void {
    if (!this.isOpen) return;
    // What is dropped here has not been given to the client, though its streams think so.
    if (!this.outbox.discard()) this.noteResumePoints();
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

  /** Reads nothing more, since the client sends faster than its messages are handled. */
  slow(): void {
    this.#isSlowed = true;
    this.#readOrPause();
  }

  unslow(): void {
    this.#isSlowed = false;
    this.#readOrPause();
  }

  onFlood(): void {
    this.slot.noteFlood();
    this.close(CloseCode.tooManyRequests, "Too many messages");
  }

  handle(text: string): void {
    this.inbox?.receive(readMessage(text), text.length);
    this.throttle();
  }

  pong(data: Buffer): void {
    this.outbox.pong(data);
    this.throttle();
  }

  /** A ping is about to be written. */
  noteResumePoints(): void {
    for (const point of this.#points) point.note();
  }

  /** That ping has been answered. */
  confirmResumePoints(): void {
    // What has been noted since is for the answer to the close.
    if (this.#hasSaidClose) return;
    for (const point of this.#points) point.confirm();
  }

  /** The socket is closed. @param code the client's own, or its answer to the gateway's; 1006 where there was none. */
  closed(code: number): void {
    this.#closeCode = code;
    this.heartbeat.stop();
    this.arrivals.close();
    this.#executions?.goOn();
    for (const point of [...this.#points, ...this.#orphaned]) this.#conclude(point, code);
    this.#points.clear();
    this.#orphaned.clear();
  }

  /** A subscription with a resume point runs, or was being opened when the socket was closed. */
  hold(point: ResumePoint): void {
    if (this.#closeCode === undefined) this.#points.add(point);
    else this.#conclude(point, this.#closeCode);
  }

  /** It is over. @param isUnwanted the client has said so. */
  letGo(point: ResumePoint, isUnwanted: boolean): void {
    const isHeld = this.#points.delete(point);
    if (isUnwanted) point.forget();
    else if (isHeld) this.#orphaned.add(point);
  }

  #conclude(point: ResumePoint, code: number): void {
    // It has said good-bye: it will not come back for what it has missed.
    const isGoodbye = code === CloseCode.normal || code === CloseCode.noStatus;
    if (isGoodbye && !this.#hasSaidClose) point.forget();
    else point.suspend(this.#hasSaidClose && code !== CloseCode.abnormal);
  }

  /** Goes on with another token of the same user. */
  refresh(session: Session, token: string): Promise<Me> {
    return this.#sessions.refresh(session, token, this.client.address);
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

/** As much of a close frame's reason as there is room for: RFC 6455, section 5.5. */
function fitting(reason: string): string {
  let end = Math.min(reason.length, MAX_REASON_BYTES);
  while (Buffer.byteLength(reason.slice(0, end)) > MAX_REASON_BYTES) end--;
  return reason.slice(0, end);
}
