/**
 * What leaves on one WebSocket. Messages of one turn of the event loop go out together, in one system call; a socket whose client
 * does not read is lagging once more than its budget waits.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Flusher } from "./flusher.ts";
import { Frame, nextMessage, pingFrame, pongFrame, textFrame } from "./frames.ts";
import { WatchedOutbox, type OutboxOwner } from "./watched-outbox.ts";

export interface Outbox {
  /** Whether more than the budget waits. It then says once when it can take more again. */
  readonly isLagging: boolean;
  /** Whether what comes next of the past is for a later turn. It says once when that has come, as for room. */
  readonly isTurnOver: boolean;
  /** How many events went into it. */
  readonly delivered: number;
  /** A `next` message whose payload goes to others as well. `id` as `idText` gives it. */
  next(id: string, payload: { readonly json: string }): void;
  /** A `next` message that goes to nobody else. `onSent` as for {@link send}. */
  event(message: string, onSent?: () => void): void;
  /** Any other message. `onSent` is called when it has left the process or never will. */
  send(message: string, onSent?: () => void): void;
  /** A ping, behind everything before it. `data` comes back in the pong. */
  ping(data: string): void;
  /** The answer to a ping. */
  pong(data: Buffer): void;
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
  readonly owner: OutboxOwner;
}

export function createOutbox(options: OutboxOptions): Outbox {
  return options.socket.extensions.includes("permessage-deflate")
    ? new CompressedOutbox(options)
    : new PlainOutbox(options);
}

/** Frames go past ws, straight to the transport: without an extension ws writes whole frames at once, so that they do not mix. */
class PlainOutbox extends WatchedOutbox implements Outbox {
  readonly #socket: WebSocket;
  readonly #transport: Socket;
  /** Made when something waits: an array that is kept for the next turn makes V8 take all of them for long-lived ones. */
  #frames: Frame[] | undefined;
  #callbacks: (() => void)[] | undefined;
  #bytes = 0;
  /** Whether the system took the last write at once. */
  #isPrompt = true;

  constructor(options: OutboxOptions) {
    super(options);
    this.#socket = options.socket;
    this.#transport = options.transport;
  }

  protected get waitingBytes(): number {
    return this.#bytes + this.#transport.writableLength;
  }

  next(id: string, payload: { readonly json: string }): void {
    const frame = this.flusher.frames.frame(id, payload);
    this.#push(frame);
    this.noteEvent(frame.length);
  }

  send(message: string, onSent?: () => void): void {
    if (onSent) (this.#callbacks ??= []).push(onSent);
    this.#push(new Frame(textFrame(message)));
  }

  ping(data: string): void {
    this.notePing();
    this.#push(new Frame(pingFrame(data)));
  }

  pong(data: Buffer): void {
    this.#push(new Frame(pongFrame(data)));
  }

  flush(): void {
    const frames = this.#frames;
    if (!frames) return;
    // May put a ping behind them.
    this.confirm();
    const [bytes, callbacks] = [this.#bytes, this.#callbacks];
    this.#clear();
    // A socket that is closing takes nothing after its close frame.
    if (this.#socket.readyState === this.#socket.OPEN && this.#transport.writable) {
      this.#write(frames, bytes);
      // Where the system does not take it at once an empty chunk behind it tells when it has: a callback with each write would cost
      // all of them a tick.
      if (!this.#isPrompt) {
        this.#transport.write("", () => this.#onWritten(callbacks));
        return;
      }
    }
    this.#onWritten(callbacks);
  }

  discard(): boolean {
    const [hadFrames, callbacks] = [this.#frames !== undefined, this.#callbacks];
    this.#clear();
    callbacks?.forEach((callback) => callback());
    return hadFrames;
  }

  #push(frame: Frame): void {
    if (this.#frames) this.#frames.push(frame);
    else {
      this.#frames = [frame];
      this.flusher.add(this);
    }
    this.#bytes += frame.length;
  }

  #clear(): void {
    this.#frames = undefined;
    this.#callbacks = undefined;
    this.#bytes = 0;
  }

  #write(frames: readonly Frame[], bytes: number): void {
    const { memory } = this.flusher;
    // What waits has memory of its own, as much as it needs: the budget counts that.
    const lent = this.#isPrompt ? memory.lend(bytes) : undefined;
    const data = lent ?? Buffer.allocUnsafeSlow(bytes);
    let end = 0;
    for (const frame of frames) {
      frame.copyTo(data, end);
      end += frame.length;
    }
    this.#transport.write(data);
    this.#isPrompt = this.#transport.writableLength === 0;
    if (lent && this.#isPrompt) memory.giveBack();
  }

  /** Not at `drain`: the budget may be less than what a stream calls full, and then there is none. */
  #onWritten(callbacks: readonly (() => void)[] | undefined): void {
    callbacks?.forEach((callback) => callback());
    this.noteRoom();
  }
}

/** Compression is per socket and takes its time: ws does it, and keeps the order. */
class CompressedOutbox extends WatchedOutbox implements Outbox {
  readonly #options: OutboxOptions;
  #isCorked = false;

  constructor(options: OutboxOptions) {
    super(options);
    this.#options = options;
  }

  protected get waitingBytes(): number {
    return this.#options.socket.bufferedAmount;
  }

  next(id: string, payload: { readonly json: string }): void {
    this.event(nextMessage(id, payload.json));
  }

  send(message: string, onSent?: () => void): void {
    this.#cork();
    this.#options.socket.send(message, () => {
      onSent?.();
      this.noteRoom();
    });
  }

  ping(data: string): void {
    this.notePing();
    this.#cork();
    this.#options.socket.ping(data);
  }

  pong(data: Buffer): void {
    this.#cork();
    this.#options.socket.pong(data);
  }

  flush(): void {
    if (!this.#isCorked) return;
    this.confirm();
    this.#isCorked = false;
    this.#options.transport.uncork();
  }

  /** What was handed to ws waits in the corked transport, and the connection is cut off where something does. */
  discard(): boolean {
    return this.#isCorked;
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#options.transport.cork();
    this.flusher.add(this);
  }
}
