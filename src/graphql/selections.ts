/**
 * Equal subscriptions share one execution of each event: the same document, the same operation of it, the same values of the
 * variables that its results depend on.
 */
import { execute, type DocumentNode, type ExecutionResult, type GraphQLError, type GraphQLSchema } from "graphql";
import type { DeliveredEvent } from "../chat/events/registry.ts";
import { GatewayError } from "../errors.ts";
import type { Context, Operation } from "./context.ts";
import { toClientError } from "./errors.ts";
import type { FieldStatistics } from "./statistics.ts";
import { planSelection, type SelectionPlan } from "./selection-plan.ts";
import { dependsOnViewer, variablesOfResults } from "./viewer.ts";

/** One event in the words of one selection: the payload of a `next` message. */
export type Rendered = { readonly payload: Payload } | { readonly error: GraphQLError };

/** The same object for everybody who gets it, so that what is made of it is made once. */
export interface Payload {
  readonly json: string;
}

/** What the documents of a schema allow, found out once for each. */
interface Sharing {
  readonly isShared: boolean;
  readonly variables: readonly string[];
  /** By the values of those variables. */
  readonly selections: Map<string, Selection>;
}

export class Selections {
  readonly #schema: GraphQLSchema;
  readonly #contextFor: (operation: Operation) => Context;
  readonly #sharing = new WeakMap<DocumentNode, Sharing>();

  /** @param contextFor a context that knows no viewer. */
  constructor(schema: GraphQLSchema, contextFor: (operation: Operation) => Context) {
    this.#schema = schema;
    this.#contextFor = contextFor;
  }

  /**
   * The selection that this operation shares with its equals, to be released when its subscription ends. Undefined where its
   * results depend on the viewer.
   */
  acquire(operation: Operation): Selection | undefined {
    const { document, operationName, variables } = operation;
    const sharing = this.#sharingOf(document);
    if (!sharing.isShared) return undefined;
    // A variable that is left out has its default; one that is null has not.
    const values = sharing.variables.map((name) => (Object.hasOwn(variables ?? {}, name) ? [variables?.[name]] : []));
    const key = JSON.stringify([operationName, ...values]);
    let selection = sharing.selections.get(key);
    if (!selection) {
      selection = new Selection(this.#schema, this.#contextFor(operation), () => sharing.selections.delete(key));
      sharing.selections.set(key, selection);
    }
    selection.retain();
    return selection;
  }

  #sharingOf(document: DocumentNode): Sharing {
    let sharing = this.#sharing.get(document);
    if (!sharing) {
      sharing = {
        isShared: !dependsOnViewer(this.#schema, document),
        variables: variablesOfResults(this.#schema, document),
        selections: new Map(),
      };
      this.#sharing.set(document, sharing);
    }
    return sharing;
  }
}

export class Selection {
  readonly #schema: GraphQLSchema;
  readonly #context: Context;
  readonly #onUnused: () => void;
  readonly #field: FieldStatistics | undefined;
  readonly #plan: SelectionPlan | undefined;
  #users = 0;
  /** The last event and what became of it: an event goes to all its subscribers before the next one does. */
  #event: DeliveredEvent | undefined;
  #rendered: Rendered | undefined;
  /** States are told to each who comes: what became of them, for as long as they are remembered ({@link PresenceEvents}). */
  readonly #states = new WeakMap<DeliveredEvent, Rendered>();

  constructor(schema: GraphQLSchema, context: Context, onUnused: () => void) {
    this.#schema = schema;
    this.#context = context;
    this.#field = context.operation.field;
    this.#onUnused = onUnused;
    const { document, operationName } = context.operation;
    this.#plan = planSelection(schema, document, operationName);
  }

  retain(): void {
    this.#users++;
    if (this.#field) this.#field.subscriptions++;
  }

  release(): void {
    if (this.#field) this.#field.subscriptions--;
    if (--this.#users === 0) this.#onUnused();
  }

  /** Made for the first who asks. Never throws. */
  render(event: DeliveredEvent): Rendered {
    if (this.#field) this.#field.deliveries++;
    if (event.type === "presence.changed") return this.#renderState(event);
    if (event !== this.#event || !this.#rendered) {
      this.#rendered = this.#render(event);
      this.#event = event;
    }
    return this.#rendered;
  }

  #renderState(event: DeliveredEvent): Rendered {
    let rendered = this.#states.get(event);
    if (!rendered) this.#states.set(event, (rendered = this.#render(event)));
    return rendered;
  }

  #render(event: DeliveredEvent): Rendered {
    const { document, operationName, variables } = this.#context.operation;
    if (this.#field) this.#field.executions++;
    const data = this.#plan?.render(event, this.#context);
    if (data !== undefined) return { payload: { json: `{"data":${data}}` } };
    try {
      const result = execute({
        schema: this.#schema,
        document,
        operationName,
        variableValues: variables,
        contextValue: this.#context,
        rootValue: event,
      });
      return { payload: { json: JSON.stringify({ data: dataOf(result) }) } };
    } catch (error) {
      return { error: toClientError(error, this.#context) };
    }
  }
}

function dataOf(result: ExecutionResult | Promise<ExecutionResult>): ExecutionResult["data"] {
  if (result instanceof Promise) {
    throw new GatewayError("INTERNAL_SERVER_ERROR", {
      cause: new Error("a field below a subscription waits for something: mark it with DEPENDS_ON_VIEWER"),
    });
  }
  if (result.errors) throw new GatewayError("INTERNAL_SERVER_ERROR", { cause: result.errors[0] });
  return result.data;
}
