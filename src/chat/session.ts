/** Who asks, and for how long: identities and sessions. */
import { hash } from "node:crypto";
import { ByteBudget } from "../byte-budget.ts";
import type { GatewayError } from "../errors.ts";
import { createId } from "../ids.ts";
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
  return hash("sha256", token, "base64url");
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

/** What a session is the session of. */
export interface SessionOwner {
  /** The gateway has ended the session, once. */
  sessionEnded(reason: Unauthenticated): void;
}

/** An identity with an open connection: a WebSocket, or one SSE stream. */
export class Session implements Identity {
  readonly id = createId();
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
  #owner: SessionOwner | undefined;

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

  /** Whose connection ends with the session: told at once where that has ended already. */
  bindTo(owner: SessionOwner): void {
    this.#owner = owner;
    if (this.#ended) owner.sessionEnded(this.#ended);
  }

  /** Ends the session for a reason that the client is told. */
  end(reason: Unauthenticated): void {
    if (this.#ended) return;
    this.#ended = reason;
    // First the connection: it says what has been given so far.
    this.#owner?.sessionEnded(reason);
    for (const subscription of this.subscriptions) subscription.end(reason);
  }
}
