/** Operations as spans: `mutation sendMessage`. A subscription's is its start. */
import { getOperationAST } from "graphql";
import type { Span, Tracing } from "../tracing.ts";
import type { Context } from "./context.ts";
import { rootFieldName } from "./root-field.ts";

export class OperationTraces {
  readonly #tracing: Tracing;

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  /** Named by the schema's field, not by the client. */
  start({ operation: { type, document, operationName }, origin: { client, requestId } }: Context): Span {
    const operation = getOperationAST(document, operationName);
    const field = operation ? rootFieldName(document, operation) : undefined;
    return this.#tracing.start(field === undefined ? type : `${type} ${field}`, {
      kind: "server",
      parent: client?.traceparent,
      attributes: { "graphql.operation.type": type, "request.id": requestId },
    });
  }
}
