/** What a client sends, in the order in which graphql-ws can take it. */
import { MessageType } from "graphql-ws";

/** A message of graphql-transport-ws, parsed; undefined where the text is no JSON object. */
export type ParsedMessage = { readonly type?: unknown; readonly id?: unknown; readonly payload?: unknown } | undefined;

/** Messages that wait behind one completed operation at most. */
const MAX_WAITING = 100;

interface RunningOperation {
  isCompleted: boolean;
  waiting: ParsedMessage[] | undefined;
}

/**
 * graphql-ws knows an operation by its id alone, and one that the client has completed may still be waiting for its admission: a
 * second operation under that id would be taken for the first. Messages for such an id wait until the first is over.
 */
export class Inbox {
  readonly #handle: (message: ParsedMessage) => Promise<void>;
  readonly #onFlood: () => void;
  readonly #running = new Map<string, RunningOperation>();

  /**
   * @param handle resolves when the message, and the operation that it starts, is over. Never rejects.
   * @param onFlood is called when a client lets too much wait.
   */
  constructor(handle: (message: ParsedMessage) => Promise<void>, onFlood: () => void) {
    this.#handle = handle;
    this.#onFlood = onFlood;
  }

  /** Whether an operation that is not over yet has been completed by the client. */
  isCompleted(id: string): boolean {
    return this.#running.get(id)?.isCompleted ?? false;
  }

  receive(message: ParsedMessage): void {
    const id = typeof message?.id === "string" ? message.id : undefined;
    const running = id === undefined ? undefined : this.#running.get(id);
    if (running?.isCompleted) {
      running.waiting ??= [];
      if (running.waiting.push(message) > MAX_WAITING) this.#onFlood();
      return;
    }
    if (running && message?.type === MessageType.Complete) running.isCompleted = true;
    const handled = this.#handle(message);
    // One under an id in use is refused by graphql-ws.
    if (id !== undefined && !running && message?.type === MessageType.Subscribe) void this.#follow(id, handled);
  }

  async #follow(id: string, handled: Promise<void>): Promise<void> {
    const operation: RunningOperation = { isCompleted: false, waiting: undefined };
    this.#running.set(id, operation);
    await handled;
    this.#running.delete(id);
    for (const message of operation.waiting ?? []) this.receive(message);
  }
}
