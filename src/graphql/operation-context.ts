import { randomUUID } from "node:crypto";
import type { ClientOrigin } from "../call-origin.ts";
import type { Log } from "../log.ts";
import type { Caller } from "./caller.ts";
import type { Context, Operation } from "./context.ts";
import type { Services } from "./services.ts";
import { charge, REQUESTS_PER_POINT } from "./charge.ts";
import { createLoaders, type Loaders } from "./loaders.ts";

/** What few operations need is made when it is asked for: a running subscription keeps its context for as long as it runs. */
export class OperationContext implements Context {
  readonly operation: Operation;
  readonly caller: Caller;
  readonly services: Services;
  readonly log: Log;
  #loaders: Loaders | undefined;
  #requestId: string | undefined;
  #requests = 0;

  /** @param requestId one is made where absent. */
  constructor(operation: Operation, caller: Caller, services: Services, log: Log, requestId?: string) {
    this.#requestId = requestId;
    this.operation = operation;
    this.caller = caller;
    this.services = services;
    this.log = log;
  }

  forNextEvent(): Context {
    return new OperationContext(this.operation, this.caller, this.services, this.log, this.requestId);
  }

  get loaders(): Loaders {
    return (this.#loaders ??= createLoaders(this.caller, this.services));
  }

  get client(): ClientOrigin | undefined {
    return this.caller.client;
  }

  get requestId(): string {
    return (this.#requestId ??= this.client?.requestId ?? randomUUID());
  }

  /** What an operation causes is known while it runs: its user's next ones wait for it. */
  countRequest(): void {
    this.#requests++;
    if (this.#requests % REQUESTS_PER_POINT > 0) return;
    charge(this.services.operationLimit, this.caller, 1).catch((error: unknown) =>
      this.log.error({ err: error }, "a request could not be counted"),
    );
  }
}
