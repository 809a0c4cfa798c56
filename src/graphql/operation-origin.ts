/** On whose behalf an operation calls the REST API and Redis. */
import { randomUUID } from "node:crypto";
import type { CallOrigin, ClientOrigin } from "../call-origin.ts";
import type { OperationLimit } from "../chat/rate-limit.ts";
import type { Log } from "../log.ts";
import { REQUESTS_PER_POINT } from "./charge.ts";

/**
 * Without a reference to the caller: sockets and timers that are made while an operation runs keep its origin for as long as they live, and a
 * connection that has been closed must not be kept with it.
 */
export class OperationOrigin implements CallOrigin {
  readonly client: ClientOrigin | undefined;
  readonly #userId: string | undefined;
  readonly #limit: Pick<OperationLimit, "take">;
  readonly #log: Log;
  #requestId: string | undefined;
  #requests = 0;

  /** @param userId whose allowance it is; undefined where nobody knows. */
  constructor(
    client: ClientOrigin | undefined,
    userId: string | undefined,
    limit: Pick<OperationLimit, "take">,
    log: Log,
  ) {
    this.client = client;
    this.#userId = userId;
    this.#limit = limit;
    this.#log = log;
  }

  get requestId(): string {
    return (this.#requestId ??= this.client?.requestId ?? randomUUID());
  }

  /** What an operation causes is known while it runs: its user's next ones wait for it. */
  countRequest(): void {
    this.#requests++;
    if (this.#userId === undefined || this.#requests % REQUESTS_PER_POINT > 0) return;
    this.#limit
      .take(this.#userId, 1)
      .catch((error: unknown) => this.#log.error({ err: error }, "a request could not be counted"));
  }
}
