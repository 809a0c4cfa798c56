import { type Client } from "graphql-ws";
import type { Failure } from "./failure.js";
import { type Variables } from "./operate.js";
import type { ChatClientOptions, ConnectionState } from "./types.js";
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
export declare class Connection {
    #private;
    readonly client: Client;
    readonly state: import("./store.ts").Derived<ConnectionState>;
    /** Called after each connect, before subscriptions go on, and when a connection is lost. */
    readonly listeners: Set<() => void>;
    userId: string;
    /** Undefined while there is no connection. */
    socket: {
        send(data: string): void;
    } | undefined;
    constructor({ url, token, clientId, onSignedOut }: ChatClientOptions);
    /**
     * Subscribes, for as long as the gateway lets it. `variables` are read anew at each connect.
     *
     * @param onLive called when everything that was missed has been delivered, or when it simply began with what is new.
     */
    subscribe<Event>(query: string, variables: Variables, next: (event: Event) => void, onLive?: (isNew: boolean) => void, ended?: (failure: Failure) => void): Subscription;
    /** Something is behind: a subscription, or anything else until the result is called. */
    hold(payload?: object, followed?: Followed): () => void;
    /** Runs a query or mutation until it succeeds or cannot succeed. Rejects with a {@link Failure}. */
    run<Data>(query: string, variables: Variables, retryUntil?: number): Promise<Data>;
    close(): Promise<void>;
}
export {};
