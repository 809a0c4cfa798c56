/** How many operations one connection may have at once, and how much they may keep. */
import { OperationTypeNode, type GraphQLError } from "graphql";
import type { Operation } from "../../graphql/context.ts";
import { documentError } from "../../graphql/errors.ts";
import type { Connection } from "./connection.ts";
import type { Inbox } from "./inbox.ts";
import { keptBytes, type OperationLimits } from "./running-operations.ts";

/** Queries and mutations under way on one connection at most: a page may open a hundred chats at once. */
const MAX_IN_FLIGHT = 250;

/** Retains one more operation, until it is released; or why it may not run. */
export function overLimit(
  { running, session, inbox }: Connection,
  operation: Operation,
  config: OperationLimits,
): readonly GraphQLError[] | undefined {
  const isSubscription = operation.type === OperationTypeNode.SUBSCRIPTION;
  const limit = isSubscription ? config.MAX_SUBSCRIPTIONS : MAX_IN_FLIGHT;
  if (isSubscription ? hasSubscriptions(running.subscriptions, limit, inbox) : running.inFlight >= limit) {
    const kind = isSubscription ? "subscriptions" : "operations at once";
    return [documentError("OPERATION_LIMIT", `A connection may have ${limit} ${kind}.`)];
  }
  // Nothing is prepared for a connection without a session.
  if (!session || running.retain(operation, session.memory, keptBytes(config))) return undefined;
  return [documentError("OPERATION_LIMIT", "The operations of this connection keep too much: complete some first.")];
}

/** Those that the client has completed while they are being opened count no more; of them there may be as many again. */
function hasSubscriptions(count: number, limit: number, inbox: Inbox): boolean {
  return count >= limit && (count >= 2 * limit || count - inbox.completed >= limit);
}
