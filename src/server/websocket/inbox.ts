/** What a client sends, in the order in which graphql-ws can take it. */
import { MessageType } from "graphql-ws";
import { CloseCode } from "./close-codes.ts";
import type { ParsedMessage } from "./messages.ts";

/** An operation that is not over. */
export interface RunningOperation {
  /** By the client. */
  wasCompleted: boolean;
  /** Not run by graphql-ws. */
  readonly isOwn: boolean;
  /** The client wants no more. */
  complete?(): void;
  /** There is room again for what it writes. */
  resume?(): void;
}

/** One that has not begun to run, or that graphql-ws runs. */
class Starting implements RunningOperation {
  wasCompleted = false;
  isOwn = true;
}

/** The `subscribe` that is to follow under the same id. */
interface Next {
  readonly message: ParsedMessage;
  readonly bytes: number;
}

/** Bytes of operations that wait for others to end, at most. */
const MAX_WAITING_BYTES = 262_144;

/** Where messages go. */
export interface MessageHandler {
  /** Takes over a subscription: {@link Inbox.ended} follows. False for every other operation, and for what is none. */
  subscribe(id: string, message: ParsedMessage): boolean;
  /** Everything else. Resolves when the message, and the operation that it starts, is over. Never rejects. */
  handle(message: ParsedMessage): Promise<void>;
}

/** The connection that the messages arrive on. */
export interface InboxOwner extends MessageHandler {
  close(code: number, reason: string): void;
  /** The client lets too much wait. */
  onFlood(): void;
}

/**
 * graphql-ws knows an operation by its id alone, and one that the client has completed may still be waiting for its admission: a
 * second operation under that id would be taken for the first. It waits until the first is over.
 */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #running = new Map<string, RunningOperation>();
  /** By id, while the operation before is not over. */
  #next: Map<string, Next> | undefined;
  #waitingBytes = 0;

  constructor(owner: InboxOwner) {
    this.#owner = owner;
  }

  /** The operations that are not over. */
  get running(): Iterable<RunningOperation> {
    return this.#running.values();
  }

  /** How many subscriptions are not over yet that the client has completed: while they are being opened. */
  get completed(): number {
    return [...this.running].filter(({ isOwn, wasCompleted }) => isOwn && wasCompleted).length;
  }

  /** Whether an operation that is not over yet has been completed by the client. */
  isCompleted(id: string): boolean {
    return this.#running.get(id)?.wasCompleted ?? false;
  }

  /** @param bytes of the message's text. */
  receive(message: ParsedMessage, bytes: number): void {
    const id = typeof message?.id === "string" ? message.id : undefined;
    const running = id === undefined ? undefined : this.#running.get(id);
    if (id !== undefined && running?.wasCompleted) {
      // Completed before it was begun: nobody is to run it.
      if (message?.type === MessageType.Complete) return this.#dropNext(id);
      if (message?.type === MessageType.Subscribe) return this.#wait(id, message, bytes);
    }
    if (running && message?.type === MessageType.Complete) {
      running.wasCompleted = true;
      running.complete?.();
      if (running.isOwn) return;
    }
    if (id !== undefined && message?.type === MessageType.Subscribe) {
      if (!running) return this.#begin(id, message);
      // Under an id in use; what graphql-ws runs it knows itself.
      if (running.isOwn) return this.#refuse(id);
    }
    void this.#owner.handle(message);
  }

  /** A subscription runs under this id, and is told when it is completed. */
  opened(id: string, subscription: RunningOperation): void {
    if (this.#running.has(id)) this.#running.set(id, subscription);
  }

  /** The operation under this id is over. */
  ended(id: string): void {
    if (!this.#running.delete(id)) return;
    const next = this.#next?.get(id);
    if (!next) return;
    this.#dropNext(id);
    // Not within what has ended it.
    queueMicrotask(() => this.receive(next.message, next.bytes));
  }

  #begin(id: string, message: ParsedMessage): void {
    const operation = new Starting();
    this.#running.set(id, operation);
    if (this.#owner.subscribe(id, message)) return;
    operation.isOwn = false;
    void this.#owner.handle(message).then(() => this.ended(id));
  }

  #refuse(id: string): void {
    this.#owner.close(CloseCode.subscriberExists, `Subscriber for ${id} already exists`);
  }

  #wait(id: string, message: ParsedMessage, bytes: number): void {
    if (this.#next?.has(id)) return this.#refuse(id);
    (this.#next ??= new Map()).set(id, { message, bytes });
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#owner.onFlood();
  }

  #dropNext(id: string): void {
    this.#waitingBytes -= this.#next?.get(id)?.bytes ?? 0;
    this.#next?.delete(id);
  }
}
