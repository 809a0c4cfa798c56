import { createClient, type Client } from "graphql-ws";
import { backoffMs } from "./backoff.ts";
import type { Failure } from "./failure.ts";
import { uniqueId } from "./id.ts";
import { operate, type Variables } from "./operate.ts";
import { Derived } from "./store.ts";
import { TokenSource } from "./token.ts";
import type { ChatClientOptions, ConnectionState, ConnectionStatus } from "./types.ts";
import { onWake } from "./wake.ts";
import { REFRESH } from "./wire.ts";

/** A silent network is noticed at the latest after both together. */
const PING_EVERY_MS = 7000;
const PONG_WITHIN_MS = 4000;

/** From the first packet to `connection_ack`. */
const CONNECT_WITHIN_MS = 10_000;

/** A connection that is back by then was never shown as lost. */
const GRACE_MS = 5000;

/** Time for the close event of a socket that failed: graphql-ws would take it for the next one's. */
const SHORTEST_PAUSE_MS = 50;

/** A subscription that goes on over all connections. */
export interface Subscription {
  /** Whether everything until now has been delivered. */
  readonly isLive: boolean;
  stop(): void;
}

interface Followed {
  isLive: boolean;
  id?: string;
  readonly onLive?: ((isNew: boolean) => void) | undefined;
}

/** The one WebSocket: connects for ever, knows what is live, keeps the session. */
export class Connection {
  readonly client: Client;
  readonly state = new Derived<ConnectionState>(() => this.#state);
  /** Called after each connect, before subscriptions go on, and when a connection is lost. */
  readonly listeners = new Set<(isConnected: boolean) => void>();
  userId = "";
  readonly #onSignedOut: (() => void) | undefined;
  readonly #token: TokenSource;
  readonly #closing = new AbortController();
  /** By payload, which graphql-ws passes on. */
  readonly #followed = new Map<object, Followed>();
  #state: ConnectionState = { status: "connecting", since: Date.now() };
  #socket: { send(data: string): void } | undefined;
  #isLost = false;
  #isOffline = false;
  #isOver = false;
  #retryAt: number | undefined;
  #failures = 0;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #endPause: (() => void) | undefined;

  constructor({ url, token, clientId, onSignedOut }: ChatClientOptions) {
    this.#onSignedOut = onSignedOut;
    // A session that is not prolonged ends with its token, and the next connect asks for another.
    this.#token = new TokenSource(token, (next) => {
      this.run(REFRESH, { token: next }, 0).catch(() => undefined);
    });
    this.client = createClient({
      url: async () => {
        await this.#untilDue();
        return url.replace(/^http/, "ws");
      },
      connectionParams: () => ({ token: this.#token.current, clientId, streamStates: true }),
      generateID: (payload) => {
        const id = uniqueId();
        const followed = this.#followed.get(payload);
        if (followed) followed.id = id;
        return id;
      },
      shouldRetry: () => true,
      retryAttempts: Infinity,
      // `url` waits.
      retryWait: async () => undefined,
      keepAlive: PING_EVERY_MS,
      on: {
        connected: (socket, payload) => this.#connected(socket as WebSocket, payload),
        message: () => this.#socket && clearTimeout(this.#silenceTimer),
        ping: (received, payload) => (received ? this.#learn(payload) : this.#expect(PONG_WITHIN_MS)),
        closed: (event) => this.#closed((event as CloseEvent).code),
      },
    });
    onWake((isOnline) => this.#wake(isOnline), this.#closing.signal);
  }

  get isConnected(): boolean {
    return !!this.#socket;
  }

  /**
   * Subscribes, for as long as the gateway lets it. `variables` are read anew at each connect.
   *
   * @param field what it subscribes to.
   * @param onLive called when everything that was missed has been delivered, or when it simply began with what is new.
   */
  subscribe<Event>(
    field: string,
    query: string,
    variables: Variables,
    next: (event: Event) => void,
    onLive?: (isNew: boolean) => void,
    ended?: (failure: Failure) => void,
  ): Subscription {
    const payload = { query, variables };
    const followed: Followed = { onLive, isLive: false };
    const release = this.#follow(payload, followed);
    const end = operate<Record<string, Event>>(
      this.client,
      payload,
      (data) => next(data[field] as Event),
      (failure) => {
        release();
        ended?.(failure);
      },
    );
    const stop = (): void => {
      release();
      end();
    };
    return Object.assign(followed, { stop });
  }

  /** Something else than a subscription is behind, until the result is called. */
  hold(): () => void {
    return this.#follow({}, { isLive: false });
  }

  #follow(payload: object, followed: Followed): () => void {
    this.#followed.set(payload, followed);
    this.#update();
    return () => {
      this.#followed.delete(payload);
      this.#update();
    };
  }

  /** Runs a query or mutation until it succeeds or cannot succeed. Rejects with a {@link Failure}. */
  run<Data>(query: string, variables: Variables, retryUntil?: number): Promise<Data> {
    return new Promise(
      (resolve, reject) => void operate(this.client, { query, variables }, resolve, reject, retryUntil),
    );
  }

  async close(): Promise<void> {
    // A client that is only about to connect would wait for that, and reject where it fails.
    const disposed = Promise.resolve(this.client.dispose()).catch(() => undefined);
    const { isConnected } = this;
    this.#closing.abort();
    this.#lost();
    this.#isOver = true;
    clearTimeout(this.#graceTimer);
    if (isConnected) await disposed;
  }

  /** Resolves when it is time to connect, with a token that the gateway has not refused. */
  async #untilDue(): Promise<void> {
    for (;;) {
      if (this.#failures > 0) await this.#pause();
      try {
        if (!(await this.#token.next())) this.#signOut();
        // Nothing connects any more; `close` releases those who wait for that.
        if (this.#isOver) await new Promise(() => undefined);
        this.#expect(CONNECT_WITHIN_MS);
        return;
      } catch {
        this.#failures++;
      }
    }
  }

  async #pause(): Promise<void> {
    const ms = SHORTEST_PAUSE_MS + backoffMs(this.#failures);
    this.#retryAt = Date.now() + ms;
    this.#update();
    await new Promise<void>((resolve) => {
      setTimeout(resolve, ms);
      this.#endPause = resolve;
    });
    this.#retryAt = undefined;
    this.#update();
  }

  #connected(socket: WebSocket, payload: Variables | undefined): void {
    clearTimeout(this.#silenceTimer);
    clearTimeout(this.#graceTimer);
    this.#socket = socket;
    this.#isOffline = false;
    this.userId = payload?.["userId"] as string;
    this.#token.watch();
    for (const listener of this.listeners) listener(true);
    this.#update();
  }

  /** The state of a subscription, as the payload of a ping. */
  #learn(payload: Variables | undefined): void {
    const sent = payload?.["subscription"] as { id: string; state: string; start: string } | undefined;
    for (const followed of this.#followed.values()) {
      if (!sent || followed.id !== sent.id) continue;
      followed.isLive = sent.state === "live";
      if (!followed.isLive) continue;
      // The gateway serves it: the next waits are short again.
      this.#failures = 0;
      followed.onLive?.(sent.start === "new");
    }
    this.#update();
  }

  /** Gives the connection up unless something arrives in time. */
  #expect(ms: number): void {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => {
      // It has been silent for longer than a lost connection may stay unmentioned.
      this.#lost(0);
      this.client.terminate();
    }, ms);
  }

  #closed(code: number): void {
    if (code === 4403) this.#token.refuse();
    this.#failures++;
    this.#lost();
  }

  #lost(graceMs = GRACE_MS): void {
    clearTimeout(this.#silenceTimer);
    this.#token.pause();
    if (!this.#socket) return;
    this.#socket = undefined;
    this.#isLost = false;
    this.#graceTimer = setTimeout(() => {
      this.#isLost = true;
      this.#update();
    }, graceMs);
    for (const followed of this.#followed.values()) followed.isLive = false;
    for (const listener of this.listeners) listener(false);
    this.#update();
  }

  #signOut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#update();
    this.#onSignedOut?.();
  }

  #wake(isOnline: boolean): void {
    this.#isOffline = !isOnline;
    if (!isOnline) {
      this.#lost(0);
      this.client.terminate();
    } else if (this.#socket) {
      this.#socket.send('{"type":"ping"}');
      this.#expect(PONG_WITHIN_MS);
    } else {
      this.#failures = Math.min(this.#failures, 1);
      this.#endPause?.();
    }
    this.#update();
  }

  #update(): void {
    const before = this.#state;
    const retryAt = this.#retryAt;
    const status = this.#status();
    const isSame = status === before.status;
    if (isSame && retryAt === before.retryAt) return;
    this.#state = { status, since: isSame ? before.since : Date.now(), ...(retryAt && { retryAt }) };
    this.state.changed();
  }

  #status(): ConnectionStatus {
    if (this.#isOver) return "signed-out";
    if (this.#socket) return [...this.#followed.values()].every(({ isLive }) => isLive) ? "live" : "catching-up";
    if (this.#isOffline) return "offline";
    if (!this.userId) return "connecting";
    return this.#isLost ? "reconnecting" : this.#state.status;
  }
}
