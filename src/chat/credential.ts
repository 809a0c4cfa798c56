/** One token that sessions are open with: it is asked about once for all of them. */
import { jwtDecode } from "jwt-decode";
import type { Cancel, Clock } from "../clock.ts";
import { SmallSet } from "../small-set.ts";
import type { Session } from "./session.ts";

/** Parts of the interval at which a token may be asked about again: few enough for tokens to share timers. */
const PARTS = 512;

/** What happens to tokens: the same for all of them. */
export interface CredentialWatch {
  readonly clock: Clock;
  /** The token has expired. */
  onExpiry(credential: Credential): void;
  /** It is time to ask again whose it is. */
  onRecheck(credential: Credential): void;
  /** Within what time a token has to be asked about again, as things are now: it grows with the number of tokens. */
  recheckIntervalMs(): number;
}

export class Credential {
  readonly token: string;
  readonly tokenHash: string;
  readonly sessions = new SmallSet<Session>();
  readonly #watch: CredentialWatch;
  readonly #cancelExpiry: Cancel | undefined;
  #cancelRecheck: Cancel;

  constructor(token: string, tokenHash: string, watch: CredentialWatch) {
    this.token = token;
    this.tokenHash = tokenHash;
    this.#watch = watch;
    const { clock } = watch;
    const expiresAt = expiryOf(token);
    // The REST API has just accepted it: where that is over by this clock, the clocks differ, and the API's counts.
    if (expiresAt !== undefined && expiresAt > clock.now()) {
      this.#cancelExpiry = clock.after(expiresAt - clock.now(), () => watch.onExpiry(this));
    }
    this.#cancelRecheck = this.#scheduleRecheck();
  }

  /** Asks again within so long a time. */
  recheckWithin(ms: number): void {
    this.#cancelRecheck();
    this.#cancelRecheck = this.#watch.clock.after(partOf(ms, randomPart()), () => this.#recheck());
  }

  close(): void {
    this.#cancelExpiry?.();
    this.#cancelRecheck();
  }

  #scheduleRecheck(): Cancel {
    const part = randomPart();
    const waitMs = partOf(this.#watch.recheckIntervalMs(), part);
    return this.#watch.clock.after(waitMs, () => this.#recheckUnlessLater(part, waitMs));
  }

  /** Many others may have come meanwhile: this one's turn is then later. */
  #recheckUnlessLater(part: number, waitedMs: number): void {
    const laterMs = partOf(this.#watch.recheckIntervalMs(), part) - waitedMs;
    if (laterMs > 0) this.#cancelRecheck = this.#watch.clock.after(laterMs, () => this.#recheck());
    else this.#recheck();
  }

  #recheck(): void {
    this.#cancelRecheck = this.#scheduleRecheck();
    this.#watch.onRecheck(this);
  }
}

/** Within the interval, but not for everybody who came at once at once again. */
function randomPart(): number {
  return PARTS - Math.floor((Math.random() * PARTS) / 2);
}

function partOf(intervalMs: number, part: number): number {
  return Math.floor((intervalMs * part) / PARTS);
}

/**
 * When a token expires, in milliseconds since the epoch, where it is a JWT that says so. It says nothing else to the gateway:
 * whose a token is, and whether it is good, the REST API decides.
 */
export function expiryOf(token: string): number | undefined {
  // An opaque token is known without an error, which takes longer than the rest of this.
  if (!token.includes(".")) return undefined;
  try {
    const { exp } = jwtDecode(token);
    return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    // An opaque token with a point in it.
    return undefined;
  }
}
