/** The operations of one connection that are not over, and what they keep. */
import { OperationTypeNode, type DocumentNode } from "graphql";
import type { ByteBudget } from "../../byte-budget.ts";
import type { Config } from "../../config/config.ts";
import type { Operation } from "../../graphql/context.ts";

/** A syntax tree takes many times its text, and grows with its tokens, whose number is limited. */
const TREE_BYTES_OF_A_CHARACTER = 20;
const MAX_TREE_BYTES = 200_000;

/** What an operation takes beside its document and its variables. */
const OPERATION_BYTES = 300;

/** What a value of a variable takes beside its text. */
const VALUE_BYTES = 40;

/** What limits the operations of one connection. */
export type OperationLimits = Pick<Config, "MAX_SUBSCRIPTIONS" | "MAX_PAYLOAD_SIZE">;

/** For each subscription that a connection may have: a document of its own of ordinary length, and variables. */
const SUBSCRIPTION_BYTES = 8192;

/** Bytes that the running operations of one connection may keep: all the subscriptions that it may have, beside one message of any length. */
export function keptBytes({ MAX_SUBSCRIPTIONS, MAX_PAYLOAD_SIZE }: OperationLimits): number {
  return MAX_SUBSCRIPTIONS * SUBSCRIPTION_BYTES + MAX_PAYLOAD_SIZE + MAX_TREE_BYTES;
}

export class RunningOperations {
  /** Queries and mutations that are not answered yet. */
  #inFlight = 0;
  #subscriptions = 0;
  /** How many operations run of each document. */
  #documents: Map<DocumentNode, number> | undefined;
  #memory: ByteBudget | undefined;
  #whenAnswered: (() => void) | undefined;

  get inFlight(): number {
    return this.#inFlight;
  }

  get subscriptions(): number {
    return this.#subscriptions;
  }

  /** Resolves when no query or mutation is in flight. */
  async answered(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#whenAnswered = resolve));
  }

  /**
   * One more begins. False, and it may not, where the connection would keep too much. Otherwise {@link release} follows.
   *
   * @param memory of the connection.
   * @param limitBytes as {@link keptBytes} gives it.
   */
  retain(operation: Operation, memory: ByteBudget, limitBytes: number): boolean {
    this.#memory = memory;
    const { document } = operation;
    const running = this.#documents?.get(document) ?? 0;
    if (!memory.keep(bytesOf(operation) + (running === 0 ? treeBytes(document) : 0), limitBytes)) return false;
    (this.#documents ??= new Map()).set(document, running + 1);
    this.#count(operation, 1);
    return true;
  }

  /** It is over. */
  release(operation: Operation): void {
    const { document } = operation;
    const running = (this.#documents?.get(document) ?? 1) - 1;
    if (running === 0) this.#documents?.delete(document);
    else this.#documents?.set(document, running);
    this.#memory?.drop(bytesOf(operation) + (running === 0 ? treeBytes(document) : 0));
    this.#count(operation, -1);
    if (this.#inFlight === 0) this.#whenAnswered?.();
  }

  #count({ type }: Operation, by: number): void {
    if (type === OperationTypeNode.SUBSCRIPTION) this.#subscriptions += by;
    else this.#inFlight += by;
  }
}

function treeBytes({ loc }: DocumentNode): number {
  return Math.min((loc?.end ?? 0) * TREE_BYTES_OF_A_CHARACTER, MAX_TREE_BYTES);
}

/** Of what differs from operation to operation. Without recursion: values may be nested deeply. */
function bytesOf({ variables }: Operation): number {
  let bytes = OPERATION_BYTES;
  const values: unknown[] = variables ? [variables] : [];
  while (values.length > 0) {
    const value = values.pop();
    bytes += VALUE_BYTES;
    if (typeof value === "string") bytes += value.length;
    else if (typeof value === "object" && value !== null) {
      for (const [name, child] of Object.entries(value)) {
        bytes += name.length;
        values.push(child);
      }
    }
  }
  return bytes;
}
