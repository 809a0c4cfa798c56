/** The one pipeline through which every operation goes, over whatever transport it came. */
import { randomUUID } from "node:crypto";
import {
  createSourceEventStream,
  execute,
  getOperationAST,
  OperationTypeNode,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from "graphql";
import { inTrace, onBehalfOf, type CallOrigin } from "../call-origin.ts";
import { Stream } from "../fanout/stream.ts";
import type { Log } from "../log.ts";
import type { Tracing } from "../tracing.ts";
import { OperationTraces } from "./operation-traces.ts";
import type { Caller } from "./caller.ts";
import type { Context, Operation } from "./context.ts";
import type { Services } from "./services.ts";
import { variablesOfStart } from "./viewer.ts";
import { charge, costOf, unknownPayer } from "./charge.ts";
import { Documents } from "./documents.ts";
import { documentError, rateLimited, toClientError, toClientErrors } from "./errors.ts";
import { Limits } from "./limits.ts";
import { PersistedDocuments, type DocumentRequest } from "./persisted-documents.ts";
import { OperationContext } from "./operation-context.ts";
import { ResultStream, type Results } from "./result-stream.ts";
import { rootFieldName } from "./root-field.ts";
import { Selections, type Selection } from "./selections.ts";
import { OperationStatistics, type FieldStatistics } from "./statistics.ts";

/** An operation as a client sends it. */
export interface OperationRequest extends DocumentRequest {
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

interface OperationsOptions {
  readonly schema: GraphQLSchema;
  readonly introspection: boolean;
  /** Texts by their hash: no other document is executed. Undefined: every one is. */
  readonly trustedDocuments?: ReadonlyMap<string, string> | undefined;
  readonly services: Services;
  readonly log: Log;
  /** Undefined: no operation is a span. */
  readonly tracing?: Tracing | undefined;
}

/** A subscription whose results are the same for all who have an equal one. */
export interface SharedSubscription {
  readonly stream: Stream;
  readonly selection: Selection;
}

/** Who asks where everybody does: nobody in particular. */
const NOBODY: Caller = {
  identity: refuseViewer,
  session: refuseViewer,
  refresh: refuseViewer,
  resumable: undefined,
  lastEventId: undefined,
  client: undefined,
  userId: undefined,
  release() {},
};

async function refuseViewer(): Promise<never> {
  throw new Error("a field that depends on the viewer is not marked: see DEPENDS_ON_VIEWER");
}

export class Operations {
  readonly schema: GraphQLSchema;
  readonly statistics: OperationStatistics;
  readonly #persisted: PersistedDocuments;
  readonly #documents: Documents;
  readonly #limits: Limits;
  readonly #selections: Selections;
  readonly #services: Services;
  readonly #log: Log;
  readonly #traces: OperationTraces | undefined;
  /** Equal for everybody: every connection of an application has some of them running. */
  readonly #withoutVariables = new WeakMap<OperationDefinitionNode, Operation>();
  readonly #starts = new WeakMap<DocumentNode, readonly string[]>();
  readonly #fields = new WeakMap<OperationDefinitionNode, FieldStatistics>();

  constructor({ schema, introspection, trustedDocuments, services, log, tracing }: OperationsOptions) {
    this.schema = schema;
    this.statistics = new OperationStatistics(schema);
    this.#persisted = new PersistedDocuments(trustedDocuments);
    this.#documents = new Documents(schema, introspection);
    this.#limits = new Limits(schema);
    this.#selections = new Selections(schema, (operation) => this.context(operation, NOBODY));
    this.#services = services;
    this.#log = log;
    this.#traces = tracing && new OperationTraces(tracing);
  }

  /** Makes an operation ready to run for `caller`, who is released when it is over. */
  context(operation: Operation, caller: Caller): Context {
    return new OperationContext(operation, caller, this.#services, this.#log);
  }

  /**
   * Why a caller may not have an operation of this document: nobody knows who it is, and it asks for more than the schema. Undefined where it
   * may. Costs no validation. Never rejects.
   */
  async refuseUnknown(caller: Caller, request: DocumentRequest): Promise<GraphQLError | undefined> {
    const { client } = caller;
    const requestId = client?.requestId ?? randomUUID();
    try {
      await onBehalfOf({ requestId, client }, () => caller.identity());
      return undefined;
    } catch (error) {
      const text = this.#persisted.textOf(request);
      // That a document is not trusted costs nothing to say.
      if (typeof text !== "string" || this.#documents.asksForSchemaAlone(text)) return undefined;
      return toClientError(error, { requestId, log: this.#log });
    }
  }

  /** Whether reading a request costs as much as parsing and validating its document does. */
  isNew(request: DocumentRequest): boolean {
    const text = this.#persisted.textOf(request);
    return typeof text === "string" && !this.#documents.has(text);
  }

  /**
   * Reads a request: the operation, or what is wrong with it. For a caller whose allowance is used up nothing is read. Never throws.
   *
   * @param caller who asks, identified or not.
   */
  prepare(
    request: OperationRequest,
    { userId, client }: Pick<Caller, "client" | "userId">,
  ): Operation | readonly GraphQLError[] {
    const retryAfterMs = this.#services.operationLimit.waitMs(userId ?? unknownPayer(client));
    const prepared = retryAfterMs > 0 ? [rateLimited(retryAfterMs)] : this.#prepare(request);
    if (!("type" in prepared)) this.statistics.count("unknown", codeOf(prepared));
    return prepared;
  }

  #prepare(request: OperationRequest): Operation | readonly GraphQLError[] {
    const text = this.#persisted.textOf(request);
    if (typeof text !== "string") return [text];
    const parsed = this.#documents.read(text);
    if ("errors" in parsed) return parsed.errors;
    const { document } = parsed;
    // An empty one is none, as it cannot but be in a URL.
    const operationName = request.operationName || undefined;
    const operation = getOperationAST(document, operationName);
    if (!operation) {
      const message =
        operationName === undefined ? "Say which operation to run." : "There is no operation of that name.";
      return [documentError("GRAPHQL_VALIDATION_FAILED", message)];
    }
    const variables = declared(operation, request.variables);
    const known = variables ? undefined : this.#withoutVariables.get(operation);
    if (known && known.operationName === operationName) return known;
    const refusal = this.#limits.refuse(document, operation, variables);
    if (refusal) return [refusal];
    const startVariables = this.#startVariables(document);
    const cost = costOf(document, operation);
    const field = this.#fieldOf(document, operation);
    const prepared = { type: operation.operation, document, operationName, variables, startVariables, cost, field };
    if (!variables) this.#withoutVariables.set(operation, prepared);
    return prepared;
  }

  /**
   * Takes the cost of an operation from its user's allowance. Resolves to the milliseconds after which the user may go on where it is used
   * up: the operation may not run then. Otherwise to 0. Of callers that cannot be identified it is the allowance of their address.
   */
  admit(caller: Pick<Caller, "client" | "identity">, cost: number): Promise<number> {
    return charge(this.#services.operationLimit, caller, cost);
  }

  #fieldOf(document: DocumentNode, operation: OperationDefinitionNode): FieldStatistics | undefined {
    if (operation.operation !== OperationTypeNode.SUBSCRIPTION) return undefined;
    const known = this.#fields.get(operation);
    if (known) return known;
    const field = this.statistics.field(rootFieldName(document, operation));
    if (field) this.#fields.set(operation, field);
    return field;
  }

  #startVariables(document: DocumentNode): readonly string[] {
    let names = this.#starts.get(document);
    if (!names) this.#starts.set(document, (names = variablesOfStart(this.schema, document)));
    return names;
  }

  /** Runs a query or a mutation, and releases its caller. Its errors are the client's. Never rejects. */
  async execute(context: Context): Promise<ExecutionResult> {
    const result = await this.attempt(context);
    context.caller.release();
    return result;
  }

  /** As {@link execute}; the caller is not released, and may run a query again in a context for the next event. */
  async attempt(context: Context): Promise<ExecutionResult> {
    const startedAt = performance.now();
    const span = this.#traces?.start(context);
    const result = await this.#execute(context, span ? inTrace(context.origin, span.traceparent) : context.origin);
    span?.end({}, codeOf(result.errors));
    this.statistics.count(context.operation.type, codeOf(result.errors), startedAt);
    return result;
  }

  async #execute(context: Context, origin: CallOrigin): Promise<ExecutionResult> {
    try {
      const result = await onBehalfOf(origin, () => execute(this.#arguments(context)));
      return finish(result, context);
    } catch (error) {
      return { errors: [toClientError(error, context)] };
    }
  }

  /**
   * Starts a subscription. The results that it yields never carry errors: where one cannot be made, or the gateway ends the
   * stream, the iteration rejects with the client's error, once. Resolves to a result with errors where it may not start.
   */
  async subscribe(context: Context): Promise<Results | ExecutionResult> {
    const started = await this.#start(context);
    return "source" in started ? this.#iterate(started.source, context) : started;
  }

  /**
   * As {@link subscribe}, for a transport that writes by itself what equal subscriptions share: where the results are the same
   * for everybody, it is given the stream of events and the selection that renders them, and releases both.
   */
  async subscribeShared(context: Context): Promise<SharedSubscription | Results | ExecutionResult> {
    const started = await this.#start(context);
    if (!("source" in started)) return started;
    const selection = this.#selections.acquire(context.operation);
    if (selection && isStream(started.source)) return { stream: started.source, selection };
    selection?.release();
    return this.#iterate(started.source, context);
  }

  async #start(context: Context): Promise<{ readonly source: AsyncIterable<unknown> } | ExecutionResult> {
    const startedAt = performance.now();
    const span = this.#traces?.start(context);
    const started = await this.#open(context, span ? inTrace(context.origin, span.traceparent) : context.origin);
    const code = "source" in started ? undefined : codeOf(started.errors);
    span?.end({}, code);
    this.statistics.count(context.operation.type, code, startedAt);
    return started;
  }

  async #open(
    context: Context,
    origin: CallOrigin,
  ): Promise<{ readonly source: AsyncIterable<unknown> } | ExecutionResult> {
    try {
      const source = await onBehalfOf(origin, () => createSourceEventStream(this.#arguments(context)));
      if (Symbol.asyncIterator in source) return { source };
      context.caller.release();
      return finish(source, context);
    } catch (error) {
      context.caller.release();
      return { errors: [toClientError(error, context)] };
    }
  }

  #iterate(source: AsyncIterable<unknown>, context: Context): Results {
    return new ResultStream(source[Symbol.asyncIterator](), this.#arguments(context), context);
  }

  #arguments(contextValue: Context): ExecutionArgs {
    const { document, operationName, variables } = contextValue.operation;
    return { schema: this.schema, document, operationName, variableValues: variables, contextValue };
  }
}

/** The values of the variables that an operation declares. Others would be kept for as long as it runs, and read by nobody. */
function declared(
  { variableDefinitions = [] }: OperationDefinitionNode,
  given: OperationRequest["variables"],
): Operation["variables"] {
  if (!given) return undefined;
  let values: [string, unknown][] | undefined;
  for (const { variable } of variableDefinitions) {
    const name = variable.name.value;
    if (Object.hasOwn(given, name)) (values ??= []).push([name, given[name]]);
  }
  return values && Object.fromEntries(values);
}

function isStream(source: unknown): source is Stream {
  return source instanceof Stream;
}

/** Of the first error; undefined where there is none. */
function codeOf(errors: readonly GraphQLError[] | undefined): string | undefined {
  const [error] = errors ?? [];
  const code = error?.extensions["code"];
  return error && (typeof code === "string" ? code : "none");
}

function finish(result: ExecutionResult, context: Context): ExecutionResult {
  return result.errors ? { ...result, errors: toClientErrors(result.errors, context) } : result;
}
