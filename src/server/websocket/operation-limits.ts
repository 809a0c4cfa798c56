/** How many operations one connection may have at once, and how much they may keep. */
import { OperationTypeNode, type GraphQLError } from "graphql";
import type { Operation } from "../../graphql/context.ts";
import { documentError } from "../../graphql/errors.ts";
import type { Connection } from "./connection.ts";

/** Queries and mutations under way on one connection at most: a page may open a hundred chats at once. */
const MAX_IN_FLIGHT = 250;

/** Retains one more operation, until it is released; or why it may not run. */
export function overLimit(
  { running, session }: Connection,
  operation: Operation,
  maxSubscriptions: number,
): readonly GraphQLError[] | undefined {
  const isSubscription = operation.type === OperationTypeNode.SUBSCRIPTION;
  const [count, limit] = isSubscription ? [running.subscriptions, maxSubscriptions] : [running.inFlight, MAX_IN_FLIGHT];
  if (count >= limit) {
    const kind = isSubscription ? "subscriptions" : "operations at once";
    return [documentError("OPERATION_LIMIT", `A connection may have ${limit} ${kind}.`)];
  }
  // Nothing is prepared for a connection without a session.
  if (!session || running.retain(operation, session.memory)) return undefined;
  return [documentError("OPERATION_LIMIT", "The operations of this connection keep too much: complete some first.")];
}
