import { type Client } from "graphql-ws";
import type { Failure } from "./failure.js";
import { type Variables } from "./operate.js";
import { Derived } from "./store.js";
import type { ChatClientOptions, ConnectionState } from "./types.js";
/** A subscription that goes on over all connections. */
export interface Subscription {
    /** Whether everything until now has been delivered. */
    isLive: boolean;
    stop: () => void;
}
/** The one WebSocket: connects for ever, knows what is live, keeps the session. */
export declare class Connection {
    #private;
    readonly client: Client;
    readonly state: Derived<ConnectionState>;
    /** Called after each connect, before subscriptions go on, and when a connection is lost. */
    readonly listeners: Set<(isConnected: boolean) => void>;
    userId: string;
    constructor({ url, token, clientId, onSignedOut }: ChatClientOptions);
    get isConnected(): boolean;
    /**
     * Subscribes, for as long as the gateway lets it. `variables` are read anew at each connect.
     *
     * @param live called when everything that was missed has been delivered, or when it simply began with what is new.
     */
    subscribe<Data>(query: string, variables: Variables, next: (data: Data) => void, ended?: (failure: Failure) => void, live?: (isNew: boolean) => void): Subscription;
    /** Something else than a subscription is behind, until the result is called. */
    hold(): () => void;
    /** Its events themselves show that it is up to date. */
    caughtUp(followed: Subscription): void;
    close(): Promise<void>;
}
