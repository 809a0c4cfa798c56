/** How many operations one connection may have at once. */
import { OperationTypeNode, type GraphQLError } from "graphql";
import type { Operation } from "../../graphql/context.ts";
import { documentError } from "../../graphql/errors.ts";
import type { Connection } from "./connection.ts";

/** Queries and mutations under way on one connection at most: a page may open a hundred chats at once. */
const MAX_IN_FLIGHT = 250;

/** Why one more may not run; undefined where it may. */
export function overLimit(
  connection: Connection,
  { type }: Operation,
  maxSubscriptions: number,
): readonly GraphQLError[] | undefined {
  const isSubscription = type === OperationTypeNode.SUBSCRIPTION;
  const [count, limit] = isSubscription
    ? [connection.subscriptions, maxSubscriptions]
    : [connection.inFlight, MAX_IN_FLIGHT];
  if (count < limit) return undefined;
  const kind = isSubscription ? "subscriptions" : "operations at once";
  return [documentError("OPERATION_LIMIT", `A connection may have ${limit} ${kind}.`)];
}
