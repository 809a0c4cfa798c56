/** What operations take from their user's allowance. */
import { Kind, type DocumentNode, type OperationDefinitionNode, type SelectionSetNode } from "graphql";
import type { OperationLimit } from "../chat/rate-limit.ts";
import { GatewayError } from "../errors.ts";
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
export async function charge(limit: OperationLimit, caller: Pick<Caller, "identity">, cost: number): Promise<number> {
  try {
    const { user } = await caller.identity();
    return await limit.take(user.id, cost);
  } catch (error) {
    // Whoever cannot be identified is told so by the operation itself.
    if (error instanceof GatewayError) return 0;
    throw error;
  }
}
