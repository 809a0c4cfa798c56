/** Who asks, and for how long: identities and sessions. */
import { createHash, randomUUID } from "node:crypto";
import { ByteBudget } from "../byte-budget.ts";
import type { GatewayError } from "../errors.ts";
import { SmallSet } from "../small-set.ts";
import type { Me, User } from "./model.ts";
import type { Unauthenticated } from "./unauthenticated.ts";

/** A token, and whom the REST API says that it belongs to. */
export interface Identity {
  readonly token: string;
  /** What caches know a token by, so that none of them holds tokens. */
  readonly tokenHash: string;
  readonly user: Me;
}

/** SHA-256, so that nobody finds a token by its hash. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** A user who is connected to this process, on however many devices. */
export interface Viewer {
  readonly userId: string;
  readonly sessions: SmallSet<Session>;
  /** The memberships that count for delivery, by chat id. */
  readonly chats: Map<string, KnownChat>;
}

/** A chat with at least one connected participant. */
export interface KnownChat {
  readonly id: string;
  participants: ReadonlyMap<string, User>;
  /** The connected participants. */
  readonly viewers: Set<Viewer>;
  /** When its participants last changed here, by `Directory.now`. */
  changedAt: number;
}

/** What a session knows of a subscription. */
interface RunningSubscription {
  readonly type: string;
  /** Undefined: every chat of the viewer. */
  readonly chatId: string | undefined;
  end(reason: GatewayError): void;
}

/** An identity with an open connection: a WebSocket, or one SSE stream. */
export class Session implements Identity {
  readonly id = randomUUID();
  /** Milliseconds since the epoch. */
  readonly openedAt = Date.now();
  readonly viewer: Viewer;
  /** What its connection may hold. */
  readonly memory = new ByteBudget();
  #identity: Identity;
  /** What runs for this session, and ends with it. */
  readonly subscriptions = new SmallSet<RunningSubscription>();
  /** Why the gateway ended this session, if it did. Nothing is executed or delivered for an ended session. */
  #ended: Unauthenticated | undefined;
  readonly #onEnd: ((reason: Unauthenticated) => void)[] = [];

  /** @param viewers knows who is connected to this process. */
  constructor(identity: Identity, viewers: { attach(session: Session): Viewer }) {
    this.#identity = identity;
    this.viewer = viewers.attach(this);
  }

  get token(): string {
    return this.#identity.token;
  }

  get tokenHash(): string {
    return this.#identity.tokenHash;
  }

  get user(): Me {
    return this.#identity.user;
  }

  /** Goes on with another token of the same user. */
  renew(identity: Identity): void {
    this.#identity = identity;
  }

  get ended(): Unauthenticated | undefined {
    return this.#ended;
  }

  /** Called when the gateway ends the session, once; at once where it has ended already. */
  onEnd(listener: (reason: Unauthenticated) => void): void {
    if (this.#ended) listener(this.#ended);
    else this.#onEnd.push(listener);
  }

  /** Ends the session for a reason that the client is told. */
  end(reason: Unauthenticated): void {
    if (this.#ended) return;
    this.#ended = reason;
    // First the connection: it says what has been given so far.
    for (const listener of this.#onEnd.splice(0)) listener(reason);
    for (const subscription of this.subscriptions) subscription.end(reason);
  }
}
