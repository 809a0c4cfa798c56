/** What a client sends, in the order in which graphql-ws can take it. */
import { MessageType } from "graphql-ws";
import type { ParsedMessage } from "./messages.ts";

interface RunningOperation {
  isCompleted: boolean;
  /** The `subscribe` that is to follow under the same id. */
  next: ParsedMessage;
}

/**
 * graphql-ws knows an operation by its id alone, and one that the client has completed may still be waiting for its admission: a
 * second operation under that id would be taken for the first. It waits until the first is over.
 */
export class Inbox {
  readonly #handle: (message: ParsedMessage) => Promise<void>;
  readonly #onDuplicate: (id: string) => void;
  readonly #running = new Map<string, RunningOperation>();

  /**
   * @param handle resolves when the message, and the operation that it starts, is over. Never rejects.
   * @param onDuplicate is called for an operation whose id is in use by another one that waits.
   */
  constructor(handle: (message: ParsedMessage) => Promise<void>, onDuplicate: (id: string) => void) {
    this.#handle = handle;
    this.#onDuplicate = onDuplicate;
  }

  /** Whether an operation that is not over yet has been completed by the client. */
  isCompleted(id: string): boolean {
    return this.#running.get(id)?.isCompleted ?? false;
  }

  receive(message: ParsedMessage): void {
    const id = typeof message?.id === "string" ? message.id : undefined;
    const running = id === undefined ? undefined : this.#running.get(id);
    if (id !== undefined && running?.isCompleted) {
      if (message?.type === MessageType.Complete) {
        // Completed before it was begun: nobody is to run it.
        running.next = undefined;
        return;
      }
      if (message?.type === MessageType.Subscribe) {
        if (running.next) this.#onDuplicate(id);
        else running.next = message;
        return;
      }
    }
    if (running && message?.type === MessageType.Complete) running.isCompleted = true;
    const handled = this.#handle(message);
    // One under an id in use is refused by graphql-ws.
    if (id !== undefined && !running && message?.type === MessageType.Subscribe) void this.#follow(id, handled);
  }

  async #follow(id: string, handled: Promise<void>): Promise<void> {
    const operation: RunningOperation = { isCompleted: false, next: undefined };
    this.#running.set(id, operation);
    await handled;
    this.#running.delete(id);
    if (operation.next) this.receive(operation.next);
  }
}
