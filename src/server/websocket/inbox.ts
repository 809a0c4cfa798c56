/** What a client sends, in the order in which graphql-ws can take it. */
import { MessageType } from "graphql-ws";
import { CloseCode } from "./close-codes.ts";
import type { ParsedMessage } from "./messages.ts";

interface RunningOperation {
  isCompleted: boolean;
  /** The `subscribe` that is to follow under the same id. */
  next: ParsedMessage;
  nextBytes: number;
}

/** Bytes of operations that wait for others to end, at most. */
const MAX_WAITING_BYTES = 262_144;

/** The connection that the messages arrive on. */
interface Receiver {
  close(code: number, reason: string): void;
  /** The client lets too much wait. */
  onFlood(): void;
}

/**
 * graphql-ws knows an operation by its id alone, and one that the client has completed may still be waiting for its admission: a
 * second operation under that id would be taken for the first. It waits until the first is over.
 */
export class Inbox {
  readonly #handle: (message: ParsedMessage) => Promise<void>;
  readonly #receiver: Receiver;
  #waitingBytes = 0;
  readonly #running = new Map<string, RunningOperation>();

  /** @param handle resolves when the message, and the operation that it starts, is over. Never rejects. */
  constructor(handle: (message: ParsedMessage) => Promise<void>, receiver: Receiver) {
    this.#handle = handle;
    this.#receiver = receiver;
  }

  /** Whether an operation that is not over yet has been completed by the client. */
  isCompleted(id: string): boolean {
    return this.#running.get(id)?.isCompleted ?? false;
  }

  /** @param bytes of the message's text. */
  receive(message: ParsedMessage, bytes: number): void {
    const id = typeof message?.id === "string" ? message.id : undefined;
    const running = id === undefined ? undefined : this.#running.get(id);
    if (id !== undefined && running?.isCompleted) {
      if (message?.type === MessageType.Complete) {
        // Completed before it was begun: nobody is to run it.
        this.#drop(running);
        return;
      }
      if (message?.type === MessageType.Subscribe) {
        if (running.next) this.#receiver.close(CloseCode.subscriberExists, `Subscriber for ${id} already exists`);
        else {
          running.next = message;
          running.nextBytes = bytes;
          this.#waitingBytes += bytes;
          if (this.#waitingBytes > MAX_WAITING_BYTES) this.#receiver.onFlood();
        }
        return;
      }
    }
    if (running && message?.type === MessageType.Complete) running.isCompleted = true;
    const handled = this.#handle(message);
    // One under an id in use is refused by graphql-ws.
    if (id !== undefined && !running && message?.type === MessageType.Subscribe) void this.#follow(id, handled);
  }

  async #follow(id: string, handled: Promise<void>): Promise<void> {
    const operation: RunningOperation = { isCompleted: false, next: undefined, nextBytes: 0 };
    this.#running.set(id, operation);
    await handled;
    this.#running.delete(id);
    const { next, nextBytes } = operation;
    this.#drop(operation);
    if (next) this.receive(next, nextBytes);
  }

  #drop(operation: RunningOperation): void {
    this.#waitingBytes -= operation.nextBytes;
    operation.next = undefined;
    operation.nextBytes = 0;
  }
}
