/** The position of the client of one subscription: from where it was when the subscription was asked for, to what it has confirmed last. */
import { randomBytes } from "node:crypto";
import type { StreamPosition } from "../bus/bus.ts";

/** No two ids of owners are equal. */
const OWNER_BYTES = 16;

/** What knows the position of its reader. */
export interface Positioned {
  /** With all that was written to the reader; undefined where that cannot be said right now. */
  position(): StreamPosition | undefined;
}

/** A subscription that has taken over a position. */
export interface Owner {
  readonly id: string;
  /** By the bus's clock. */
  readonly takenAt: string;
}

export interface TakenPosition {
  readonly owner: Owner;
  /** The position of the client when it was last here, if it was. */
  readonly found: StreamPosition | undefined;
  /** Where the client is from now on: that one, or where it begins anew. */
  readonly position: StreamPosition | undefined;
  /** There was a position, and its time is over. */
  readonly isExpired: boolean;
}

/** The client that subscribes. */
export interface Asker {
  /** It wants no more of it, and has said so. */
  readonly isCompleted: boolean;
}

/** The positions of all clients. */
export interface Positions {
  /**
   * Takes over the position under a key, of a connection that is gone or believed to be. Where there is none, `initial` is its position from
   * now on. Waits for a bus that does not answer: a position is never guessed.
   *
   * @throws GatewayError UNAUTHENTICATED where nobody waits for the subscription any more.
   */
  take(
    key: string,
    owner: string,
    initial: StreamPosition | undefined,
    isWanted: () => boolean,
  ): Promise<TakenPosition>;
  /**
   * @param isOpen whether the connection goes on: the next confirmation then prolongs it.
   * @param mayWait a moment, to be written together with others.
   */
  save(key: string, owner: Owner, position: StreamPosition, isOpen: boolean, mayWait?: boolean): void;
  /**
   * The client has gone before its subscription began: it continues from there, unless it has a position, as it may have come back on another
   * connection already.
   */
  noteLost(key: string, position: StreamPosition): void;
  drop(key: string, owner: Owner): void;
}

/** Where the client is once it has answered a ping. */
interface Noted {
  readonly ping: number;
  readonly position: StreamPosition;
}

export class ResumePoint {
  readonly #positions: Positions;
  readonly #key: string;
  readonly #asker: Asker;
  /** Where the client was; until the position has been taken over. */
  #since: StreamPosition | undefined;
  /** Undefined until then. */
  #owner: Owner | undefined;
  #stream: Positioned | undefined;
  /** What was noted last, and for which ping. */
  #noted: StreamPosition | undefined;
  #notedFor = 0;
  /** What was noted for pings before it that are not answered yet, the oldest first. */
  #earlier: Noted[] | undefined;
  #confirmed: StreamPosition | undefined;
  #isUnwanted = false;
  #hasFailed = false;

  /** @param since where the client was when it asked for the subscription; undefined where it says that itself each time. */
  constructor(positions: Positions, key: string, asker: Asker, since: StreamPosition | undefined) {
    this.#positions = positions;
    this.#key = key;
    this.#asker = asker;
    this.#since = since;
  }

  /**
   * Takes over the client's position. The connection before must not move it any more.
   *
   * @param initial its position where it has none; undefined where its client says itself where it is.
   * @throws GatewayError UNAUTHENTICATED where nobody waits for the subscription any more.
   */
  async take(initial: StreamPosition | undefined, isWanted: () => boolean): Promise<TakenPosition> {
    const taken = await this.#positions.take(this.#key, newOwnerId(), initial, isWanted);
    this.#owner = taken.owner;
    this.#since = undefined;
    this.#confirmed = taken.position;
    if (this.#isUnwanted) this.forget();
    return taken;
  }

  /**
   * The stream is open.
   *
   * @param isFresh the client needs nothing from before: if it is lost before it has confirmed anything it gets everything since
   * now. Otherwise it gets again what it comes back for.
   */
  begin(stream: Positioned, isFresh: boolean): void {
    this.#stream = stream;
    if (!isFresh || this.#confirmed || this.#isUnwanted) return;
    this.#confirm(stream.position(), false);
  }

  /** The subscription has failed, and its client is notified: what is remembered stays as it is. */
  fail(): void {
    this.#hasFailed = true;
  }

  /** A ping is about to be written. Later ones have greater numbers. */
  note(ping: number): void {
    const position = this.#stream?.position();
    if (!position) return;
    if (this.#noted) (this.#earlier ??= []).push({ ping: this.#notedFor, position: this.#noted });
    this.#noted = position;
    this.#notedFor = ping;
  }

  /** Pings were not written, nor was what was before them. */
  forgetNoted(): void {
    this.#noted = undefined;
    this.#earlier = undefined;
  }

  /** A ping was answered: what was written before it has arrived. */
  confirm(ping: number): void {
    this.#confirm(this.#takeNoted(ping), true);
  }

  /** What was noted last for a ping, or for one before it; nothing from then or before is needed any more. */
  #takeNoted(ping: number): StreamPosition | undefined {
    const earlier = this.#earlier;
    if (this.#noted && ping >= this.#notedFor) {
      const noted = this.#noted;
      this.forgetNoted();
      return noted;
    }
    const count = earlier?.findLastIndex((noted) => noted.ping <= ping) ?? -1;
    return earlier?.splice(0, count + 1).at(-1)?.position;
  }

  /** @param mayWait false: at once. What was never written is not missed. */
  #confirm(position: StreamPosition | undefined, mayWait: boolean): void {
    if (!position || !this.#owner) return;
    this.#confirmed = position;
    this.#positions.save(this.#key, this.#owner, position, true, mayWait);
  }

  /** The connection is gone; its client may come back. @param isConfirmed it has answered what was noted last. */
  suspend(isConfirmed: boolean): void {
    // What was completed while it was being opened is not over yet, and nobody comes back for it.
    if (this.#hasFailed || this.#asker.isCompleted) return;
    if (isConfirmed) this.#confirmed = this.#noted ?? this.#confirmed;
    if (this.#since) this.#positions.noteLost(this.#key, this.#since);
    else if (this.#owner && this.#confirmed) this.#positions.save(this.#key, this.#owner, this.#confirmed, false);
  }

  /** The client wants no more. */
  forget(): void {
    this.#isUnwanted = true;
    if (this.#owner && !this.#hasFailed) this.#positions.drop(this.#key, this.#owner);
  }
}

/** Not a UUID: that is made of pieces, which stay apart in memory until somebody compares it. */
export function newOwnerId(): string {
  return randomBytes(OWNER_BYTES).toString("base64url");
}
