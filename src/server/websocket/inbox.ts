/** What a client sends, in the order in which graphql-ws can take it. */
import { MessageType } from "graphql-ws";
import { CloseCode } from "./close-codes.ts";
import type { ParsedMessage } from "./messages.ts";

interface RunningOperation {
  isCompleted: boolean;
  /** Not run by graphql-ws. */
  isOwn: boolean;
  subscription: Completable | undefined;
  /** The `subscribe` that is to follow under the same id. */
  next: ParsedMessage;
  nextBytes: number;
}

/** Bytes of operations that wait for others to end, at most. */
const MAX_WAITING_BYTES = 262_144;

/** A subscription that runs. */
interface Completable {
  /** The client wants no more. */
  complete(): void;
}

/** Where messages go. */
export interface MessageHandler {
  /** Takes over a subscription: {@link Inbox.ended} follows. False for every other operation, and for what is none. */
  subscribe(id: string, message: ParsedMessage): boolean;
  /** Everything else. Resolves when the message, and the operation that it starts, is over. Never rejects. */
  handle(message: ParsedMessage): Promise<void>;
}

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
  readonly #handler: MessageHandler;
  readonly #receiver: Receiver;
  #waitingBytes = 0;
  readonly #running = new Map<string, RunningOperation>();

  constructor(handler: MessageHandler, receiver: Receiver) {
    this.#handler = handler;
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
        if (running.next) this.#refuse(id);
        else {
          running.next = message;
          running.nextBytes = bytes;
          this.#waitingBytes += bytes;
          if (this.#waitingBytes > MAX_WAITING_BYTES) this.#receiver.onFlood();
        }
        return;
      }
    }
    if (running && message?.type === MessageType.Complete) {
      running.isCompleted = true;
      running.subscription?.complete();
      if (running.isOwn) return;
    }
    if (id !== undefined && message?.type === MessageType.Subscribe) {
      if (!running) return this.#begin(id, message);
      // Under an id in use; what graphql-ws runs it knows itself.
      if (running.isOwn) return this.#refuse(id);
    }
    void this.#handler.handle(message);
  }

  /** A subscription runs under this id, and is told when it is completed. */
  opened(id: string, subscription: Completable): void {
    const operation = this.#running.get(id);
    if (operation) operation.subscription = subscription;
  }

  /** The operation under this id is over. */
  ended(id: string): void {
    const operation = this.#running.get(id);
    if (!operation) return;
    this.#running.delete(id);
    const { next, nextBytes } = operation;
    this.#drop(operation);
    // Not within what has ended it.
    if (next) queueMicrotask(() => this.receive(next, nextBytes));
  }

  #begin(id: string, message: ParsedMessage): void {
    const operation = { isCompleted: false, isOwn: true, subscription: undefined, next: undefined, nextBytes: 0 };
    this.#running.set(id, operation);
    if (this.#handler.subscribe(id, message)) return;
    operation.isOwn = false;
    void this.#handler.handle(message).then(() => this.ended(id));
  }

  #refuse(id: string): void {
    this.#receiver.close(CloseCode.subscriberExists, `Subscriber for ${id} already exists`);
  }

  #drop(operation: RunningOperation): void {
    this.#waitingBytes -= operation.nextBytes;
    operation.next = undefined;
    operation.nextBytes = 0;
  }
}
