/**
 * What leaves on one WebSocket. Messages of one turn of the event loop go out together, in one system call; a socket whose client
 * does not read is lagging once more than its budget waits.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { nextMessage, NextFrames, pingFrame, textFrame } from "./frames.ts";

/** Writes the outboxes of one server at the end of the turn in which they got something. */
export class Flusher {
  #outboxes: Outbox[] = [];
  /** Frames that a server's sockets share. */
  readonly frames = new NextFrames();

  add(outbox: Outbox): void {
    if (this.#outboxes.push(outbox) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const outboxes = this.#outboxes;
    this.#outboxes = [];
    for (const outbox of outboxes) outbox.flush();
  }
}

export interface Outbox {
  /** Whether more than the budget waits. It then says once when it can take more again. */
  readonly isLagging: boolean;
  /** A `next` message whose payload goes to others as well. `id` as `idText` gives it. */
  next(id: string, payload: { readonly json: string }): void;
  /** Any other message. `onSent` hears when it has left the process or never will. */
  send(message: string, onSent?: () => void): void;
  /** A ping, behind everything before it. `data` comes back in the pong. */
  ping(data: string): void;
  /** Writes what waits for the end of the turn. */
  flush(): void;
  /** Drops what waits for the end of the turn: nobody is to read it. @returns whether there was anything. */
  discard(): boolean;
}

export interface OutboxOptions {
  readonly socket: WebSocket;
  /** The TCP or TLS socket below. */
  readonly transport: Socket;
  readonly flusher: Flusher;
  readonly budgetBytes: number;
  /** What waits is about to be written: a ping may still be put behind it. */
  readonly beforeFlush: () => void;
  /** The client has read, and there is room again. */
  readonly onRoom: () => void;
}

export function createOutbox(options: OutboxOptions): Outbox {
  return options.socket.extensions.includes("permessage-deflate")
    ? new CompressedOutbox(options)
    : new PlainOutbox(options);
}

/** Frames go past ws, straight to the transport: without an extension ws writes whole frames at once, so that they do not mix. */
class PlainOutbox implements Outbox {
  readonly #options: OutboxOptions;
  /** Made when something waits: an array that is kept for the next turn makes V8 take all of them for long-lived ones. */
  #frames: Buffer[] | undefined;
  #callbacks: (() => void)[] | undefined;
  #bytes = 0;
  #hasLagged = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get isLagging(): boolean {
    const { transport, budgetBytes } = this.#options;
    const isLagging = this.#bytes + transport.writableLength > budgetBytes;
    this.#hasLagged ||= isLagging;
    return isLagging;
  }

  next(id: string, payload: { readonly json: string }): void {
    this.#push(this.#options.flusher.frames.frame(id, payload));
  }

  send(message: string, onSent?: () => void): void {
    if (onSent) (this.#callbacks ??= []).push(onSent);
    this.#push(textFrame(message));
  }

  ping(data: string): void {
    this.#push(pingFrame(data));
  }

  flush(): void {
    if (this.#frames) this.#options.beforeFlush();
    const frames = this.#frames;
    const callbacks = this.#callbacks;
    if (!frames) return;
    this.#frames = undefined;
    this.#callbacks = undefined;
    this.#bytes = 0;
    const { socket, transport } = this.#options;
    // A socket that is closing takes nothing after its close frame.
    if (socket.readyState === socket.OPEN && transport.writable) {
      transport.write(frames.length === 1 ? (frames[0] ?? "") : Buffer.concat(frames));
      // As a rule the system takes it at once. Where it does not, an empty chunk behind it tells when it has: a callback with each
      // write would cost all of them a tick.
      if (transport.writableLength > 0) {
        transport.write("", () => this.#onWritten(callbacks));
        return;
      }
    }
    this.#onWritten(callbacks);
  }

  discard(): boolean {
    const hadFrames = this.#frames !== undefined;
    const callbacks = this.#callbacks;
    this.#frames = undefined;
    this.#callbacks = undefined;
    this.#bytes = 0;
    callbacks?.forEach((callback) => callback());
    return hadFrames;
  }

  #push(frame: Buffer): void {
    if (this.#frames) this.#frames.push(frame);
    else {
      this.#frames = [frame];
      this.#options.flusher.add(this);
    }
    this.#bytes += frame.length;
  }

  /** Not at `drain`: the budget may be less than what a stream calls full, and then there is none. */
  #onWritten(callbacks: readonly (() => void)[] | undefined): void {
    callbacks?.forEach((callback) => callback());
    this.#onRoom();
  }

  #onRoom(): void {
    if (!this.#hasLagged || this.isLagging) return;
    this.#hasLagged = false;
    this.#options.onRoom();
  }
}

/** Compression is per socket and takes its time: ws does it, and keeps the order. */
class CompressedOutbox implements Outbox {
  readonly #options: OutboxOptions;
  #isCorked = false;
  #hasLagged = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get isLagging(): boolean {
    const isLagging = this.#options.socket.bufferedAmount > this.#options.budgetBytes;
    this.#hasLagged ||= isLagging;
    return isLagging;
  }

  next(id: string, payload: { readonly json: string }): void {
    this.send(nextMessage(id, payload.json));
  }

  send(message: string, onSent?: () => void): void {
    this.#cork();
    this.#options.socket.send(message, () => {
      onSent?.();
      this.#onRoom();
    });
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#options.transport.cork();
    this.#options.flusher.add(this);
  }

  ping(data: string): void {
    this.#cork();
    this.#options.socket.ping(data);
  }

  flush(): void {
    if (!this.#isCorked) return;
    this.#options.beforeFlush();
    this.#isCorked = false;
    this.#options.transport.uncork();
  }

  /** What was handed to ws waits in the corked transport, and the connection is cut off where something does. */
  discard(): boolean {
    return this.#isCorked;
  }

  #onRoom(): void {
    if (!this.#hasLagged || this.isLagging) return;
    this.#hasLagged = false;
    this.#options.onRoom();
  }
}
