/** What operations take from their user's allowance. */
import { Kind, type DocumentNode, type OperationDefinitionNode, type SelectionSetNode } from "graphql";
import type { ClientOrigin } from "../call-origin.ts";
import type { OperationLimit } from "../chat/rate-limit.ts";
import { GatewayError } from "../errors.ts";
import { networkOf } from "../ip-address.ts";
import type { Caller } from "./caller.ts";

/** Requests to the REST API that cost as much as a root field. */
export const REQUESTS_PER_POINT = 10;

/**
 * What an operation costs before it runs: one for each of its root fields, under whatever alias or in whatever fragment. A root field that
 * is repeated under one name is executed once, and counts once.
 */
export function costOf(document: DocumentNode, { selectionSet }: OperationDefinitionNode): number {
  const names = new Set<string>();
  const spread = new Set<string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) names.add(selection.alias?.value ?? selection.name.value);
      else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet);
      else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value);
        for (const definition of document.definitions) {
          if (definition.kind !== Kind.FRAGMENT_DEFINITION || definition.name.value !== selection.name.value) continue;
          collect(definition.selectionSet);
        }
      }
    }
  };
  collect(selectionSet);
  return Math.max(1, names.size);
}

/** Takes `cost` from the caller's allowance. Resolves to the milliseconds to wait where it is used up, else to 0. Never rejects. */
export async function charge(
  limit: OperationLimit,
  caller: Pick<Caller, "client" | "identity">,
  cost: number,
): Promise<number> {
  return limit.take(await payerOf(caller), cost);
}

/** Whose allowance it is. */
async function payerOf(caller: Pick<Caller, "client" | "identity">): Promise<string> {
  try {
    const { user } = await caller.identity();
    return user.id;
  } catch (error) {
    // The operation itself tells them so.
    if (error instanceof GatewayError) return unknownPayer(caller.client);
    throw error;
  }
}

/** All callers of one address whom nobody knows share an allowance. */
export function unknownPayer(client: ClientOrigin | undefined): string {
  return `address:${client?.address === undefined ? "unknown" : networkOf(client.address)}`;
}
