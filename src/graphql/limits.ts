/** What one operation may ask for, and whether it does. */
import { complexityFromQuery } from "@pothos/plugin-complexity";
import {
  BREAK,
  GraphQLError,
  Kind,
  TypeInfo,
  visit,
  visitWithTypeInfo,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from "graphql";
import type { Operation } from "./context.ts";
import { MAX_DEPTH } from "./document-limits.ts";
import { documentError, requestError } from "./errors.ts";
import { requiredVariables } from "./viewer.ts";

/** The sum of what an operation's fields cost, lists counted with the length asked for. */
const MAX_COMPLEXITY = 50_000;

export class Limits {
  readonly #schema: GraphQLSchema;
  /** Operations that keep the limits whatever their variables are. */
  readonly #harmless = new WeakSet<OperationDefinitionNode>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  /** Why an operation of a valid document may not run with these variables. */
  refuse(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Operation["variables"],
  ): GraphQLError | undefined {
    const refusal = this.#refuseNull(document, variables);
    if (refusal || this.#harmless.has(operation)) return refusal;
    let cost: { depth: number; complexity: number };
    try {
      cost = complexityFromQuery(alone(operation, document), {
        schema: this.#schema,
        ctx: {},
        ...(variables === undefined ? {} : { variables: { ...variables } }),
      });
    } catch (error) {
      // Variables of the wrong types end the whole execution, which says so better.
      if (!(error instanceof GraphQLError) || error.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION) return undefined;
      // An argument without a value would fail its own field alone, and nobody knows what the others cost.
      return requestError(error);
    }
    if (cost.depth > MAX_DEPTH) {
      return documentError("OPERATION_LIMIT", `The operation is ${cost.depth} levels deep; ${MAX_DEPTH} are allowed.`);
    }
    if (cost.complexity > MAX_COMPLEXITY) {
      return documentError(
        "OPERATION_LIMIT",
        `The operation costs ${cost.complexity}; ${MAX_COMPLEXITY} are allowed. Ask for less at once.`,
      );
    }
    if (!dependsOnArguments(this.#schema, document)) this.#harmless.add(operation);
    return undefined;
  }

  /**
   * A variable with a default may be used where null is not allowed, and be null all the same: a subscription would begin, and fail with
   * each event.
   */
  #refuseNull(document: DocumentNode, variables: Operation["variables"] = {}): GraphQLError | undefined {
    const nulls = Object.keys(variables).filter((name) => variables[name] === null);
    if (nulls.length === 0) return undefined;
    const required = requiredVariables(this.#schema, document);
    const wrong = nulls.find((name) => required.has(name));
    if (wrong === undefined) return undefined;
    return documentError("BAD_USER_INPUT", `Variable "$${wrong}" must not be null where it is used.`, undefined, wrong);
  }
}

/** The document without its other operations: what is computed is the cost of its first one. */
function alone(operation: OperationDefinitionNode, { kind, definitions }: DocumentNode): DocumentNode {
  const fragments = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  return { kind, definitions: [operation, ...fragments] };
}

/** Whether what something in a document costs is computed from arguments, which variables may be in. */
function dependsOnArguments(schema: GraphQLSchema, document: DocumentNode): boolean {
  let found = false;
  const typeInfo = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(typeInfo, {
      Field() {
        if (typeof typeInfo.getFieldDef()?.extensions["complexity"] !== "function") return undefined;
        found = true;
        return BREAK;
      },
    }),
  );
  return found;
}
