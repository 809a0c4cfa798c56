/** One token that sessions are open with: it is asked about once for all of them. */
import { jwtDecode } from "jwt-decode";
import type { Cancel, Clock } from "../clock.ts";
import { SmallSet } from "../small-set.ts";
import type { Session } from "./session.ts";

interface CredentialOptions {
  readonly token: string;
  readonly tokenHash: string;
  readonly clock: Clock;
  /** The token has expired. */
  readonly onExpiry: (credential: Credential) => void;
  /** It is time to ask again whose it is. */
  readonly onRecheck: (credential: Credential) => void;
  /** Within what time it has to be asked about again, as things are now: it grows with the number of tokens. */
  readonly recheckIntervalMs: () => number;
}

export class Credential {
  readonly token: string;
  readonly tokenHash: string;
  readonly sessions = new SmallSet<Session>();
  readonly #options: CredentialOptions;
  readonly #cancelExpiry: Cancel | undefined;
  #cancelRecheck: Cancel;

  constructor(options: CredentialOptions) {
    const { token, tokenHash, clock, onExpiry } = options;
    this.token = token;
    this.tokenHash = tokenHash;
    this.#options = options;
    const expiresAt = expiryOf(token);
    // The REST API has just accepted it: where that is over by this clock, the clocks differ, and the API's counts.
    if (expiresAt !== undefined && expiresAt > clock.now()) {
      this.#cancelExpiry = clock.after(expiresAt - clock.now(), () => onExpiry(this));
    }
    this.#cancelRecheck = this.#scheduleRecheck();
  }

  /** Asks again within so long a time. */
  recheckWithin(ms: number): void {
    this.#cancelRecheck();
    this.#cancelRecheck = this.#options.clock.after(ms * shareOfInterval(), () => this.#recheck());
  }

  close(): void {
    this.#cancelExpiry?.();
    this.#cancelRecheck();
  }

  #scheduleRecheck(): Cancel {
    const { clock, recheckIntervalMs } = this.#options;
    const share = shareOfInterval();
    const waitMs = recheckIntervalMs() * share;
    return clock.after(waitMs, () => {
      // Many others may have come meanwhile: this one's turn is then later.
      const laterMs = recheckIntervalMs() * share - waitMs;
      if (laterMs > 0) this.#cancelRecheck = clock.after(laterMs, () => this.#recheck());
      else this.#recheck();
    });
  }

  #recheck(): void {
    this.#cancelRecheck = this.#scheduleRecheck();
    this.#options.onRecheck(this);
  }
}

/** Within the interval, but not for everybody who came at once at once again. */
function shareOfInterval(): number {
  return 0.5 + Math.random() / 2;
}

/**
 * When a token expires, in milliseconds since the epoch, where it is a JWT that says so. It says nothing else to the gateway:
 * whose a token is, and whether it is good, the REST API decides.
 */
export function expiryOf(token: string): number | undefined {
  try {
    const { exp } = jwtDecode(token);
    return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    // An opaque token.
    return undefined;
  }
}
