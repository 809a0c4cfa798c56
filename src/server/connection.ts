/** One WebSocket connection: its socket, its session, its operations under way. */
import type { WebSocket } from "ws";
import type { Session } from "../chat/session.ts";
import type { Sessions } from "../chat/sessions.ts";
import type { Me } from "../chat/model.ts";
import { GatewayError } from "../errors.ts";
import type { Caller } from "../graphql/context.ts";
import { CloseCode } from "./close-codes.ts";
import type { LiveSubscription } from "./live-subscription.ts";
import { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";

interface ConnectionOptions extends Pick<OutboxOptions, "budgetBytes" | "flusher" | "socket" | "transport"> {
  readonly authorization: string | undefined;
  readonly sessions: Sessions;
}

export class Connection {
  readonly socket: WebSocket;
  readonly outbox: Outbox;
  /** The subscriptions that write to the outbox by themselves. */
  readonly live = new Set<LiveSubscription>();
  /** The `Authorization` header of the upgrade request. */
  readonly authorization: string | undefined;
  readonly #sessions: Sessions;
  #session: Session | undefined;
  /** Queries and mutations that are not answered yet. */
  #inFlight = 0;
  #subscriptions = 0;
  #isThrottled = false;
  #isDraining = false;
  #whenAnswered: (() => void) | undefined;

  constructor({ socket, transport, flusher, budgetBytes, authorization, sessions }: ConnectionOptions) {
    this.#sessions = sessions;
    this.socket = socket;
    this.authorization = authorization;
    const onRoom = (): void => {
      this.#unthrottle();
      for (const subscription of this.live) subscription.resume();
    };
    this.outbox = createOutbox({ socket, transport, flusher, budgetBytes, onRoom });
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get subscriptions(): number {
    return this.#subscriptions;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** Takes the session, whose end by the gateway ends the connection. */
  begin(session: Session): void {
    this.#session = session;
    session.onEnd(() => this.#revoke());
  }

  /** Does nothing where the socket is closing already: the first reason counts. */
  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.outbox.flush();
    this.socket.close(code, reason);
  }

  /** Nothing more is delivered, not even what waits; a client that has not read for a while is not told why. */
  #revoke(): void {
    if (!this.isOpen) return;
    this.outbox.discard();
    // What ws is compressing counts too: it would go out before the close.
    if (this.socket.bufferedAmount > 0) this.socket.terminate();
    else this.socket.close(CloseCode.forbidden, "Forbidden");
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

  /** Whether nothing is read from the client because it does not read either. */
  get isThrottled(): boolean {
    return this.#isThrottled;
  }

  /** Reads nothing more while more than the budget waits for the client: what it asks for would wait as well. */
  throttle(): void {
    if (this.#isThrottled || this.#isDraining || !this.outbox.isLagging) return;
    this.#isThrottled = true;
    this.socket.pause();
  }

  #unthrottle(): void {
    if (!this.#isThrottled) return;
    this.#isThrottled = false;
    if (!this.#isDraining) this.socket.resume();
  }

  /** The caller of one operation on this connection, counted until it is released. */
  caller(isSubscription: boolean): Caller {
    if (isSubscription) this.#subscriptions++;
    else this.#inFlight++;
    return new ConnectionCaller(this, isSubscription);
  }

  /** An operation of this connection is over. */
  release(isSubscription: boolean): void {
    if (isSubscription) this.#subscriptions--;
    else this.#inFlight--;
    if (this.#inFlight === 0) this.#whenAnswered?.();
  }

  /** Goes on with another token of the same user. */
  refresh(session: Session, token: string): Promise<Me> {
    return this.#sessions.refresh(session, token);
  }

  /** Takes no further message, lets what is in flight be answered, then closes. */
  async drain(code: number, reason: string): Promise<void> {
    if (!this.isOpen) return;
    this.#isDraining = true;
    this.socket.pause();
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#whenAnswered = resolve));
    // The answer of the last operation is written in the promise jobs that follow its execution.
    await new Promise((resolve) => setImmediate(resolve));
    this.close(code, reason);
    // Only a socket that reads sees the client's side of the closing handshake.
    if (this.socket.isPaused) this.socket.resume();
  }
}

/** An object of a class, not one with closures: every running subscription keeps one. */
class ConnectionCaller implements Caller {
  readonly #connection: Connection;
  readonly #isSubscription: boolean;
  #isReleased = false;

  constructor(connection: Connection, isSubscription: boolean) {
    this.#connection = connection;
    this.#isSubscription = isSubscription;
  }

  async session(): Promise<Session> {
    const { session } = this.#connection;
    if (!session) throw new GatewayError("UNAUTHENTICATED");
    if (session.ended) throw session.ended;
    return session;
  }

  identity(): Promise<Session> {
    return this.session();
  }

  async refresh(token: string): Promise<Me> {
    return this.#connection.refresh(await this.session(), token);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#connection.release(this.#isSubscription);
  }
}
