/** An operation of a WebSocket on its way through graphql-ws. */
import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLSchema } from "graphql";
import type { Context } from "../../graphql/context.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Connection } from "./connection.ts";

/** What graphql-ws passes from one hook to the next: with it, where the results go. */
export class Accepted implements ExecutionArgs {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly contextValue: Context;
  readonly rootValue: undefined;
  readonly connection: Connection;
  readonly id: string;

  constructor(schema: GraphQLSchema, context: Context, connection: Connection, id: string) {
    this.schema = schema;
    this.document = context.operation.document;
    this.operationName = context.operation.operationName;
    this.contextValue = context;
    this.rootValue = undefined;
    this.connection = connection;
    this.id = id;
  }
}

/** @throws Error where these are not the arguments that graphql-ws was given. */
export function accepted(args: ExecutionArgs): Accepted {
  if (args instanceof Accepted) return args;
  throw new Error("graphql-ws runs an operation with other arguments than it was given");
}

/** Executes a query or a mutation at the pace at which its client reads. @throws Error as {@link accepted}. */
export function executeAccepted(operations: Operations, args: ExecutionArgs): Promise<ExecutionResult> {
  const { connection, contextValue } = accepted(args);
  return connection.executions.run(operations, contextValue);
}
