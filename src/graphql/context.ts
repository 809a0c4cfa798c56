/** What every resolver gets, over WebSocket, HTTP and SSE alike. One context an operation. */
import type { DocumentNode, OperationTypeNode } from "graphql";
import type { CallOrigin } from "../call-origin.ts";
import type { Log } from "../log.ts";
import type { Caller } from "./caller.ts";
import type { Loaders } from "./loaders.ts";
import type { Services } from "./services.ts";
import type { FieldStatistics } from "./statistics.ts";

/** An operation that is right as far as can be told before it runs. */
export interface Operation {
  readonly type: OperationTypeNode;
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  /** What it takes from its user's allowance before it runs. */
  readonly cost: number;
  /** The names of those that only say where a subscription begins. The same list for every operation of the document. */
  readonly startVariables: readonly string[];
  /** Counts what the subscription does; undefined for a query and a mutation. */
  readonly field: FieldStatistics | undefined;
}

/** One operation on its way through the pipeline. What a running subscription holds of it is kept small. */
export interface Context {
  readonly operation: Operation;
  /** What it calls is called on this behalf, its events included. */
  readonly origin: CallOrigin;
  readonly caller: Caller;
  readonly services: Services;
  readonly loaders: Loaders;
  /** What errors and the log know this operation by. */
  readonly requestId: string;
  readonly log: Log;
  /** The same operation for its next event, with nothing of what was loaded for the one before. */
  forNextEvent(): Context;
}
