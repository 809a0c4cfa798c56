/** One request on one connection, and what comes back. */
import type { Dispatcher } from "undici";
import { textOf } from "./body-text.ts";
import type { Deadline, DeadlineListener } from "./deadline.ts";

/** An answer, whatever its status. */
export interface HttpAnswer {
  readonly kind: "answered";
  readonly status: number;
  /** Read for 2xx, 400 and 422 alone, the only ones whose body anybody looks at. */
  readonly text: string;
  readonly retryAfter: string | undefined;
  /** Of the body; undefined for none. */
  readonly encoding: string | undefined;
}

/** How an exchange came out. */
export type Exchanged =
  | HttpAnswer
  | { readonly kind: "timed-out" }
  | { readonly kind: "failed"; readonly error: unknown };

/** More of a body that nobody looks at is not read to its end: a new connection is cheaper. */
const MAX_DISCARDED_BYTES = 128 * 1024;

/**
 * undici's handler of one request, told of each step by calls: neither a stream nor a promise of its own for a body that is read as
 * a whole.
 */
export class Exchange implements Dispatcher.DispatchHandler, DeadlineListener {
  readonly #deadline: Deadline;
  readonly #onDone: () => void;
  readonly #outcome = Promise.withResolvers<Exchanged>();
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #retryAfter: string | undefined;
  #encoding: string | undefined;
  #contentType: string | undefined;
  #chunks: Buffer[] = [];
  #discardedBytes = 0;
  #isDone = false;

  /** @param onDone the connection is not needed any more: later than the outcome where undici learns late of the deadline. */
  constructor(deadline: Deadline, onDone: () => void) {
    this.#deadline = deadline;
    this.#onDone = onDone;
    deadline.listener = this;
  }

  /** Resolves at the deadline at the latest. Never rejects. */
  get outcome(): Promise<Exchanged> {
    return this.#outcome.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#deadline.isOver) controller.abort(timedOut());
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    // Something like "102 Processing": the answer is still to come.
    if (status < 200) return;
    this.#status = status;
    this.#retryAfter = oneOf(headers["retry-after"]);
    this.#encoding = headers["content-encoding"]?.toString();
    this.#contentType = oneOf(headers["content-type"]);
    if (this.#isWanted()) return;
    // Read away, so that the connection can be used again, but not waited for: the status says it all.
    this.#answer("");
    if (Number(headers["content-length"]) > MAX_DISCARDED_BYTES) controller.abort(tooLong());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isWanted()) this.#chunks.push(chunk);
    else if ((this.#discardedBytes += chunk.length) > MAX_DISCARDED_BYTES) controller.abort(tooLong());
  }

  onResponseEnd(): void {
    this.#deadline.cancel();
    if (this.#isWanted()) this.#answer(textOf(joined(this.#chunks), this.#contentType).text);
  }

  onResponseError(_controller: unknown, error: unknown): void {
    this.#deadline.cancel();
    // It is refused either way; without its sentence where that got lost.
    if (isRefusalWithReason(this.#status) && !this.#deadline.isOver) this.#answer("");
    else this.#conclude({ kind: "failed", error });
  }

  #isWanted(): boolean {
    return (this.#status >= 200 && this.#status < 300) || isRefusalWithReason(this.#status);
  }

  #answer(text: string): void {
    const [status, retryAfter, encoding] = [this.#status, this.#retryAfter, this.#encoding];
    this.#conclude({ kind: "answered", status, text, retryAfter, encoding });
  }

  #conclude(outcome: Exchanged): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#outcome.resolve(outcome);
    this.#onDone();
  }

  /** undici may be looking for a connection still, and stops only once it has one: nobody waits for that. */
  onExpiry(): void {
    this.#outcome.resolve({ kind: "timed-out" });
    this.#controller?.abort(timedOut());
  }
}

/** What is wrong with the request, as its body says. */
function isRefusalWithReason(status: number): boolean {
  return status === 400 || status === 422;
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function timedOut(): Error {
  return new Error("timed out");
}

function tooLong(): Error {
  return new Error("a body that nobody looks at is too long");
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  return chunks.length === 1 && first ? first : Buffer.concat(chunks);
}
