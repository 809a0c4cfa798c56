/** The queries and mutations of one connection, at the pace at which its client reads the results. */
import { OperationTypeNode, type ExecutionResult } from "graphql";
import type { Context } from "../../graphql/context.ts";
import type { Operations } from "../../graphql/operations.ts";

/** Queries that are executed at once: as many as one user has connections to the REST API. The others wait in order. */
const MAX_QUERIES = 16;

/** Characters of a large result. */
const LARGE_RESULT = 65_536;

interface Receiver {
  readonly isOpen: boolean;
  /** Where the results go. */
  readonly outbox: { readonly isLagging: boolean };
}

interface Waiting {
  readonly isQuery: boolean;
  readonly isRepeated: boolean;
  go(): void;
}

/**
 * Results that nobody reads are held. While more of them than the budget wait, nothing more is executed. A large result is held only where
 * it is the first: the others are dropped, and their queries are executed again, one at a time, when the client has read.
 */
export class Executions {
  readonly #receiver: Receiver;
  #limit = MAX_QUERIES;
  #queries = 0;
  /** Whether a query is executed again, or a large result is on its way to the outbox, which does not know of it yet. */
  #hasLarge = false;
  readonly #waiting: Waiting[] = [];

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** Executes when there is room; not at all where the connection is closed before. Never rejects. */
  async run(operations: Pick<Operations, "attempt">, context: Context): Promise<ExecutionResult> {
    const isQuery = context.operation.type === OperationTypeNode.QUERY;
    let result = await this.#attempt(operations, context, isQuery, false);
    if (isQuery && !this.#mayHold(result)) {
      result = await this.#attempt(operations, context.forNextEvent(), isQuery, true);
      this.#noteLarge();
    }
    context.caller.release();
    return result;
  }

  async #attempt(
    operations: Pick<Operations, "attempt">,
    context: Context,
    isQuery: boolean,
    isRepeated: boolean,
  ): Promise<ExecutionResult> {
    if (this.#waiting.length > 0 || !this.#mayRun({ isQuery, isRepeated })) {
      await new Promise<void>((resolve) => this.#waiting.push({ isQuery, isRepeated, go: resolve }));
    } else this.#begin({ isQuery, isRepeated });
    const result = this.#receiver.isOpen ? await operations.attempt(context) : {};
    if (isQuery) this.#queries--;
    this.goOn();
    return result;
  }

  /** There may be room; or the connection is closed, and nothing more is executed. */
  goOn(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#receiver.isOpen && !this.#mayRun(next)) return;
      this.#waiting.shift();
      this.#begin(next);
      next.go();
    }
  }

  #mayRun({ isQuery, isRepeated }: Omit<Waiting, "go">): boolean {
    if (this.#receiver.outbox.isLagging || (isRepeated && this.#hasLarge)) return false;
    return !isQuery || this.#queries < this.#limit;
  }

  #begin({ isQuery, isRepeated }: Omit<Waiting, "go">): void {
    if (isQuery) this.#queries++;
    if (isRepeated) this.#hasLarge = true;
  }

  #mayHold(result: ExecutionResult): boolean {
    if (!isLarge(result)) {
      this.#limit = Math.min(this.#limit + 1, MAX_QUERIES);
      return true;
    }
    this.#limit = 1;
    if (!this.#receiver.isOpen) return true;
    if (this.#hasLarge || this.#receiver.outbox.isLagging) return false;
    this.#noteLarge();
    return true;
  }

  /** It is in the outbox when this turn of the event loop is over. */
  #noteLarge(): void {
    this.#hasLarge = true;
    const sent = (): void => {
      this.#hasLarge = false;
      this.goOn();
    };
    setImmediate(sent);
  }
}

/** Looks at no more of a result than makes it large. */
function isLarge(result: ExecutionResult): boolean {
  let length = 0;
  const values: unknown[] = [result.data];
  while (values.length > 0) {
    const value = values.pop();
    length += typeof value === "string" ? value.length : 1;
    if (typeof value === "object" && value !== null) for (const child of Object.values(value)) values.push(child);
    if (length + values.length > LARGE_RESULT) return true;
  }
  return false;
}
