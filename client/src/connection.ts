import { createClient, type Client } from "graphql-ws";
import { backoffMs } from "./backoff.ts";
import type { Failure } from "./failure.ts";
import { uniqueId } from "./id.ts";
import { operate, type Variables } from "./operate.ts";
import { derived } from "./store.ts";
import { tokenSource, type TokenSource } from "./token.ts";
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
  readonly state = derived<ConnectionState>(() => this.#state);
  /** Called after each connect, before subscriptions go on, and when a connection is lost. */
  readonly listeners = new Set<() => void>();
  userId = "";
  /** Undefined while there is no connection. */
  socket: { send(data: string): void } | undefined;
  readonly #onSignedOut: (() => void) | undefined;
  readonly #token: TokenSource;
  readonly #closing = new AbortController();
  /** By payload, which graphql-ws passes on. */
  readonly #followed = new Map<object, Followed>();
  #state: ConnectionState = { status: "connecting", since: Date.now() };
  /** Shown while there is no connection. */
  #absence: ConnectionStatus = "connecting";
  #retryAt: number | undefined;
  #failures = 0;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #endPause: (() => void) | undefined;

  constructor({ url, token, clientId, onSignedOut }: ChatClientOptions) {
    this.#onSignedOut = onSignedOut;
    // A session that is not prolonged ends with its token, and the next connect asks for another.
    this.#token = tokenSource(token, (next) => {
      operate(this.client, { query: REFRESH, variables: { token: next } }, undefined, undefined, 0);
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
        message: () => this.socket && clearTimeout(this.#silenceTimer),
        ping: (received, payload) => (received ? this.#learn(payload) : this.#expect(PONG_WITHIN_MS)),
        closed: (event) => this.#closed((event as CloseEvent).code),
      },
    });
    onWake((isOnline) => this.#wake(isOnline), this.#closing.signal);
  }

  /**
   * Subscribes, for as long as the gateway lets it. `variables` are read anew at each connect.
   *
   * @param onLive called when everything that was missed has been delivered, or when it simply began with what is new.
   */
  subscribe<Event>(
    query: string,
    variables: Variables,
    next: (event: Event) => void,
    onLive?: (isNew: boolean) => void,
    ended?: (failure: Failure) => void,
  ): Subscription {
    const payload = { query, variables };
    const followed: Followed = { onLive, isLive: false };
    const release = this.#follow(payload, followed);
    const end = operate(this.client, payload, next, (failure) => {
      release();
      ended?.(failure);
    });
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
    const { socket } = this;
    this.#lost();
    this.#end();
    // A client that is still connecting would disconnect only afterwards: end the attempt instead.
    await (socket ? this.client.dispose() : this.client.terminate());
  }

  /** Resolves when it is time to connect, with a token that the gateway has not refused. */
  async #untilDue(): Promise<void> {
    for (;;) {
      if (this.#failures > 0) await this.#pause();
      try {
        const hasToken = await this.#token.next();
        const { signal } = this.#closing;
        if (!hasToken && !signal.aborted) {
          this.#end();
          this.#onSignedOut?.();
        }
        // Nothing connects any more; `close` releases those who wait for that.
        if (signal.aborted) await new Promise(() => undefined);
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
    this.socket = socket;
    this.userId = payload?.["userId"] as string;
    this.#token.watch();
    this.#changed();
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
    // A connection has been silent by then for longer than its loss may stay unmentioned.
    this.#silenceTimer = setTimeout(() => this.#terminate(this.socket ? "reconnecting" : this.#absence), ms);
  }

  #closed(code: number): void {
    if (code === 4403) this.#token.refuse();
    this.#failures++;
    this.#lost();
  }

  #lost(): void {
    clearTimeout(this.#silenceTimer);
    this.#token.pause();
    if (!this.socket) return;
    this.socket = undefined;
    this.#absence = this.#state.status;
    this.#graceTimer = setTimeout(() => this.#show("reconnecting"), GRACE_MS);
    for (const followed of this.#followed.values()) followed.isLive = false;
    this.#changed();
  }

  /** Gives up a connection, or the attempt to make one, and shows that at once. */
  #terminate(absence: ConnectionStatus): void {
    this.#lost();
    this.#show(absence);
    this.client.terminate();
  }

  /** Nothing connects any more. */
  #end(): void {
    this.#closing.abort();
    this.#show("signed-out");
  }

  #show(absence: ConnectionStatus): void {
    clearTimeout(this.#graceTimer);
    this.#absence = absence;
    this.#update();
  }

  #wake(isOnline: boolean): void {
    if (!isOnline) this.#terminate("offline");
    else if (this.socket) {
      this.socket.send('{"type":"ping"}');
      this.#expect(PONG_WITHIN_MS);
    } else {
      if (this.#absence === "offline") this.#show(this.userId ? "reconnecting" : "connecting");
      this.#failures = Math.min(this.#failures, 1);
      this.#endPause?.();
    }
  }

  #changed(): void {
    for (const listener of this.listeners) listener();
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
    if (!this.socket) return this.#absence;
    return [...this.#followed.values()].every(({ isLive }) => isLive) ? "live" : "catching-up";
  }
}
