import { createClient, type Client } from "graphql-ws";
import { backoffMs } from "./backoff.ts";
import type { Failure } from "./failure.ts";
import { uniqueId } from "./id.ts";
import { operate, type Variables } from "./operate.ts";
import { derived } from "./store.ts";
import { tokenSource, type TokenSource } from "./token.ts";
import type { ChatClientOptions, ConnectionState, ConnectionStatus } from "./types.ts";
import { onWake } from "./wake.ts";
import { CONNECT_WITHIN_MS, GRACE_MS, PING_EVERY_MS, PONG_WITHIN_MS, SHORTEST_PAUSE_MS } from "./times.ts";

/** A subscription that goes on over all connections. */
export interface Subscription {
  /** Whether everything until now has been delivered. */
  readonly isLive?: boolean;
  stop(): void;
}

interface Followed {
  isLive?: boolean;
  readonly stop?: () => void;
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
  #silenceTimer: Parameters<typeof clearTimeout>[0];
  #endPause: (() => void) | undefined;

  constructor({ url, token, clientId, onSignedOut }: ChatClientOptions) {
    this.#token = tokenSource(this, token);
    const { signal } = this.#closing;
    this.client = createClient({
      url: async () => {
        // When it is time to connect, and there is a token that the gateway has not refused.
        for (;;) {
          if (this.#failures && !signal.aborted) await this.#pause();
          try {
            if (!(await this.#token.next()) && !signal.aborted) {
              this.#end();
              onSignedOut?.();
            }
            // Nothing connects any more.
            if (signal.aborted) await new Promise(() => undefined);
            this.#expect(CONNECT_WITHIN_MS);
            return url.replace(/^http/, "ws");
          } catch {
            this.#failures++;
          }
        }
      },
      connectionParams: () => ({ token: this.#token.use(), clientId, streamStates: true }),
      generateID: (payload) => ((this.#followed.get(payload) ?? {}).id = uniqueId()),
      shouldRetry: () => true,
      retryAttempts: Infinity,
      // `url` waits.
      retryWait: async () => undefined,
      keepAlive: PING_EVERY_MS,
      on: {
        // graphql-ws pings again only after a pong: what arrives before it gives it more time.
        message: () => this.#silenceTimer && this.#expect(),
        ping: (received, payload) => (received ? this.#learn(payload) : this.#expect()),
        pong: (received) => received && this.#expect(0),
        closed: (event) => {
          if ((event as CloseEvent).code === 4403) this.#token.refuse();
          this.#failures++;
          this.#lost();
        },
        connected: (socket, payload) => {
          this.#expect(0);
          clearTimeout(this.#graceTimer);
          this.socket = socket as WebSocket;
          this.userId = payload?.["userId"] as string;
          this.#changed();
        },
      },
    });
    onWake(this.#wake, signal);
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
    const followed: Followed & Subscription = {
      stop() {
        release();
        end();
      },
      onLive,
    };
    const release = this.hold(payload, followed);
    const end = operate(this.client, payload, next, (failure) => {
      release();
      ended?.(failure);
    });
    return followed;
  }

  /** Something is behind: a subscription, or anything else until the result is called. */
  hold(payload: object = {}, followed: Followed = {}): () => void {
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
    this.#followed.forEach((followed) => followed.stop?.());
    this.#end();
  }

  async #pause(): Promise<void> {
    const ms = SHORTEST_PAUSE_MS + backoffMs(this.#failures);
    this.#retryAt = Date.now() + ms;
    this.#update();
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#endPause = resolve;
    });
    clearTimeout(timer);
    this.#retryAt = undefined;
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

  /** Gives the connection up unless it answers in time. 0: nothing is waited for any more. */
  #expect(ms = PONG_WITHIN_MS): void {
    clearTimeout(this.#silenceTimer);
    // A connection has been silent by then for longer than its loss may stay unmentioned.
    this.#silenceTimer = ms && setTimeout(() => this.#terminate(this.socket ? "reconnecting" : this.#absence), ms);
  }

  #lost(): void {
    this.#expect(0);
    if (!this.socket) return;
    this.socket = undefined;
    this.#absence = this.#state.status;
    this.#graceTimer = setTimeout(() => this.#show("reconnecting"), GRACE_MS);
    this.#followed.forEach((followed) => {
      followed.isLive = false;
    });
    this.#changed();
  }

  /** Gives up a connection, or the attempt to make one, and shows that at once. */
  #terminate(absence: ConnectionStatus): void {
    // graphql-ws calls `closed`, which says that the connection is lost.
    this.client.terminate();
    this.#show(absence);
  }

  /** Nothing connects any more. */
  #end(): void {
    this.#closing.abort();
    this.#endPause?.();
    this.#terminate("signed-out");
  }

  #show(absence: ConnectionStatus): void {
    clearTimeout(this.#graceTimer);
    this.#absence = absence;
    this.#update();
  }

  readonly #wake = (isOnline: boolean, isLost: boolean): void => {
    if (isLost) this.#terminate("offline");
    // The browser may be wrong about the network: the connection is asked.
    else if (this.socket) {
      this.socket.send('{"type":"ping"}');
      this.#expect();
    } else if (!isOnline) this.#show("offline");
    else {
      if (this.#absence === "offline") this.#show(this.userId ? "reconnecting" : "connecting");
      this.#failures &&= 1;
      this.#endPause?.();
    }
  };

  #changed(): void {
    this.listeners.forEach((listener) => listener());
    this.#update();
  }

  #update(): void {
    const before = this.#state;
    const retryAt = this.#retryAt;
    const isLive = [...this.#followed.values()].every((followed) => followed.isLive);
    const status = this.socket ? (isLive ? "live" : "catching-up") : this.#absence;
    if (status === before.status && retryAt === before.retryAt) return;
    this.#state = { status, since: status === before.status ? before.since : Date.now(), retryAt };
    this.state.changed();
  }
}
