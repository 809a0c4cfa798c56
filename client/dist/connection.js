import { createClient } from "graphql-ws";
import { backoffMs } from "./backoff.js";
import { uniqueId } from "./id.js";
import { operate } from "./operate.js";
import { derived } from "./store.js";
import { tokenSource } from "./token.js";
import { onWake } from "./wake.js";
import { CONNECT_WITHIN_MS, GRACE_MS, PING_EVERY_MS, PONG_WITHIN_MS, SHORTEST_PAUSE_MS } from "./times.js";
/** The one WebSocket: connects for ever, knows what is live, keeps the session. */
export class Connection {
    client;
    state = derived(() => this.#state);
    /** Called after each connect, before subscriptions go on, and when a connection is lost. */
    listeners = new Set();
    userId = "";
    /** Undefined while there is no connection. */
    socket;
    #token;
    #closing = new AbortController();
    /** By payload, which graphql-ws passes on. */
    #followed = new Map();
    #state = { status: "connecting", since: Date.now() };
    /** Shown while there is no connection. */
    #absence = "connecting";
    #retryAt;
    #failures = 0;
    #graceTimer;
    #silenceTimer;
    #endPause;
    constructor({ url, token, clientId, onSignedOut }) {
        this.#token = tokenSource(this, token);
        const { signal } = this.#closing;
        this.client = createClient({
            url: async () => {
                // When it is time to connect, and there is a token that the gateway has not refused.
                for (;;) {
                    if (this.#failures && !signal.aborted)
                        await this.#pause();
                    try {
                        if (!(await this.#token.next()) && !signal.aborted) {
                            this.#end();
                            onSignedOut?.();
                        }
                        // Nothing connects any more.
                        if (signal.aborted)
                            await new Promise(() => undefined);
                        this.#expect(CONNECT_WITHIN_MS);
                        return url.replace(/^http/, "ws");
                    }
                    catch {
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
                    if (event.code === 4403)
                        this.#token.refuse();
                    this.#failures++;
                    this.#lost();
                },
                connected: (socket, payload) => {
                    this.#expect(0);
                    clearTimeout(this.#graceTimer);
                    this.socket = socket;
                    this.userId = payload?.["userId"];
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
    subscribe(query, variables, next, onLive, ended) {
        const payload = { query, variables };
        const followed = {
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
    hold(payload = {}, followed = {}) {
        this.#followed.set(payload, followed);
        this.#update();
        return () => {
            this.#followed.delete(payload);
            this.#update();
        };
    }
    /** Runs a query or mutation until it succeeds or cannot succeed. Rejects with a {@link Failure}. */
    run(query, variables, retryUntil) {
        return new Promise((resolve, reject) => void operate(this.client, { query, variables }, resolve, reject, retryUntil));
    }
    async close() {
        this.#followed.forEach((followed) => followed.stop?.());
        this.#end();
    }
    async #pause() {
        const ms = SHORTEST_PAUSE_MS + backoffMs(this.#failures);
        this.#retryAt = Date.now() + ms;
        this.#update();
        let timer;
        await new Promise((resolve) => {
            timer = setTimeout(resolve, ms);
            this.#endPause = resolve;
        });
        clearTimeout(timer);
        this.#retryAt = undefined;
        this.#update();
    }
    /** The state of a subscription, as the payload of a ping. */
    #learn(payload) {
        const sent = payload?.["subscription"];
        for (const followed of this.#followed.values()) {
            if (!sent || followed.id !== sent.id)
                continue;
            followed.isLive = sent.state === "live";
            if (!followed.isLive)
                continue;
            // The gateway serves it: the next waits are short again.
            this.#failures = 0;
            followed.onLive?.(sent.start === "new");
        }
        this.#update();
    }
    /** Gives the connection up unless it answers in time. 0: nothing is waited for any more. */
    #expect(ms = PONG_WITHIN_MS) {
        clearTimeout(this.#silenceTimer);
        // A connection has been silent by then for longer than its loss may stay unmentioned.
        this.#silenceTimer = ms && setTimeout(() => this.#terminate(this.socket ? "reconnecting" : this.#absence), ms);
    }
    #lost() {
        this.#expect(0);
        if (!this.socket)
            return;
        this.socket = undefined;
        this.#absence = this.#state.status;
        this.#graceTimer = setTimeout(() => this.#show("reconnecting"), GRACE_MS);
        this.#followed.forEach((followed) => {
            followed.isLive = false;
        });
        this.#changed();
    }
    /** Gives up a connection, or the attempt to make one, and shows that at once. */
    #terminate(absence) {
        // graphql-ws calls `closed`, which says that the connection is lost.
        this.client.terminate();
        this.#show(absence);
    }
    /** Nothing connects any more. */
    #end() {
        this.#closing.abort();
        this.#endPause?.();
        this.#terminate("signed-out");
    }
    #show(absence) {
        clearTimeout(this.#graceTimer);
        this.#absence = absence;
        this.#update();
    }
    #wake = (isOnline, isLost) => {
        if (isLost)
            this.#terminate("offline");
        // The browser may be wrong about the network: the connection is asked.
        else if (this.socket) {
            this.socket.send('{"type":"ping"}');
            this.#expect();
        }
        else if (!isOnline)
            this.#show("offline");
        else {
            if (this.#absence === "offline")
                this.#show(this.userId ? "reconnecting" : "connecting");
            this.#failures &&= 1;
            this.#endPause?.();
        }
    };
    #changed() {
        this.listeners.forEach((listener) => listener());
        this.#update();
    }
    #update() {
        const before = this.#state;
        const retryAt = this.#retryAt;
        const isLive = [...this.#followed.values()].every((followed) => followed.isLive);
        const status = this.socket ? (isLive ? "live" : "catching-up") : this.#absence;
        if (status === before.status && retryAt === before.retryAt)
            return;
        this.#state = { status, since: status === before.status ? before.since : Date.now(), retryAt };
        this.state.changed();
    }
}
//# sourceMappingURL=connection.js.map