/** The positions of one connection's client, in each subscription that it may resume, and what becomes of them. */
import type { ResumePoint } from "../../recovery/resume-point.ts";
import { SmallSet } from "../../small-set.ts";
import { CloseCode } from "./close-codes.ts";

/** Positions that one connection has noted at most, with a few hundred bytes each. */
const MAX_NOTED = 1024;

export class HeldPoints {
  readonly #points = new SmallSet<ResumePoint>();
  /** Of those that the end of the connection has ended: what becomes of them its close code tells. */
  #orphaned: Set<ResumePoint> | undefined;
  /** The keys of positions of which the client was told that they have expired. */
  #expired: Set<string> | undefined;
  #hasSaidClose = false;
  #closeCode: number | undefined;

  get isEmpty(): boolean {
    return this.#points.size === 0;
  }

  /** Whether another ping may be noted beside so many that are not answered: a client need not answer any. */
  hasRoom(pings: number): boolean {
    return (pings + 1) * this.#points.size <= MAX_NOTED;
  }

  /** Whether the socket has told that it is closed. */
  get isClosed(): boolean {
    return this.#closeCode !== undefined;
  }

  /** A ping is about to be written. Later ones have greater numbers. */
  note(ping: number): void {
    this.#points.forEach((point) => point.note(ping));
  }

  /** A close is about to be written, which no pong answers. */
  noteLast(): void {
    this.note(Infinity);
  }

  /** What was noted is not known to have been written. */
  forgetNoted(): void {
    this.#points.forEach(forgetNoted);
  }

  /** That ping has been answered, and with it those before. */
  confirm(ping: number): void {
    // What has been noted since is for the answer to the close.
    if (this.#hasSaidClose) return;
    this.#points.forEach((point) => point.confirm(ping));
  }

  /** The gateway has written a close. A client that answers it has got everything that was written before. */
  noteClose(): void {
    this.#hasSaidClose = true;
  }

  /** The socket is closed. @param code the client's own, or its answer to the gateway's; 1006 where there was none. */
  conclude(code: number): void {
    this.#closeCode = code;
    const points = [...this.#points, ...(this.#orphaned ?? [])];
    this.#orphaned = undefined;
    for (const point of points) {
      this.#points.delete(point);
      this.#end(point, code);
    }
  }

  /** A subscription with a resume point runs, or was being opened when the socket was closed. */
  hold(point: ResumePoint): void {
    if (this.#closeCode === undefined) this.#points.add(point);
    else this.#end(point, this.#closeCode);
  }

  /** It is over. @param isUnwanted the client has said so. */
  letGo(point: ResumePoint, isUnwanted: boolean): void {
    const isHeld = this.#points.delete(point);
    if (isUnwanted) point.forget();
    else if (isHeld) (this.#orphaned ??= new Set()).add(point);
  }

  /** It is over, and its client may ask for it again on this connection. */
  suspend(point: ResumePoint): void {
    this.#points.delete(point);
    point.suspend(false);
  }

  /** The client was told that the position under a key has expired. */
  noteExpiry(key: string): void {
    (this.#expired ??= new Set()).add(key);
  }

  knowsExpiry(key: string): boolean {
    return this.#expired?.has(key) === true;
  }

  #end(point: ResumePoint, code: number): void {
    // It has said good-bye: it will not come back for what it has missed.
    const isGoodbye = code === CloseCode.normal || code === CloseCode.noStatus;
    if (isGoodbye && !this.#hasSaidClose) point.forget();
    else point.suspend(this.#hasSaidClose && code !== CloseCode.abnormal);
  }
}

function forgetNoted(point: ResumePoint): void {
  point.forgetNoted();
}
