import type { CallOrigin } from "../call-origin.ts";
import type { Log } from "../log.ts";
import type { Caller } from "./caller.ts";
import type { Context, Operation } from "./context.ts";
import type { Services } from "./services.ts";
import { createLoaders, type Loaders } from "./loaders.ts";
import { OperationOrigin } from "./operation-origin.ts";

/** What few operations need is made when it is asked for: a running subscription keeps its context for as long as it runs. */
export class OperationContext implements Context {
  readonly operation: Operation;
  readonly caller: Caller;
  readonly services: Services;
  readonly log: Log;
  #loaders: Loaders | undefined;
  #origin: CallOrigin | undefined;

  /** @param origin one is made where absent. */
  constructor(operation: Operation, caller: Caller, services: Services, log: Log, origin?: CallOrigin) {
    this.#origin = origin;
    this.operation = operation;
    this.caller = caller;
    this.services = services;
    this.log = log;
  }

  forNextEvent(): Context {
    return new OperationContext(this.operation, this.caller, this.services, this.log, this.origin);
  }

  get loaders(): Loaders {
    return (this.#loaders ??= createLoaders(this.caller, this.services));
  }

  get origin(): CallOrigin {
    const { client, userId } = this.caller;
    return (this.#origin ??= new OperationOrigin(client, userId, this.services.operationLimit, this.log));
  }

  get requestId(): string {
    return this.origin.requestId;
  }
}
