/** WebSocket frames, made here where one payload goes to many sockets: built once, then copied with each operation's id. */
import type { GraphQLError } from "graphql";
import type { StreamState } from "../../fanout/sink.ts";

/** RFC 6455, section 5.2: FIN, and the opcode of a text message. */
const FINAL_TEXT = 0x81;

/** FIN, and the opcode of a ping. */
const PING = 0x89;

/** FIN, and the opcode of a pong. */
const PONG = 0x8a;

/** What a message's `id` looks like between its quotes, in ASCII whatever the id is. */
export function idText(id: string): string {
  // Most are: the client's own text then needs no copy.
  if (PLAIN.test(id)) return id;
  return JSON.stringify(id)
    .slice(1, -1)
    .replace(/[^\x20-\x7e]/g, (unit) => String.raw`\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** What is the same in JSON. */
const PLAIN = /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/;

/** A `next` message of graphql-transport-ws. `payload` is JSON. */
export function nextMessage(id: string, payload: string): string {
  return `{"id":"${id}","type":"next","payload":${payload}}`;
}

/** A `complete` message. @param id as {@link idText} gives it. */
export function completeMessage(id: string): string {
  return `{"id":"${id}","type":"complete"}`;
}

/** An `error` message. @param id as {@link idText} gives it. */
export function errorMessage(id: string, errors: readonly GraphQLError[]): string {
  return `{"id":"${id}","type":"error","payload":${JSON.stringify(errors)}}`;
}

/** A `ping` message of graphql-transport-ws that tells the state of a subscription. */
export function stateMessage(id: string, state: StreamState): string {
  return `{"type":"ping","payload":{"subscription":{"id":"${id}",${JSON.stringify(state).slice(1)}}}`;
}

/** A whole text message in one frame. Servers do not mask. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const start = headerLength(length);
  const frame = Buffer.allocUnsafe(start + length);
  writeHeader(frame, length);
  frame.write(text, start);
  return frame;
}

/** @param data comes back in the pong: 125 bytes of ASCII at most. */
export function pingFrame(data: string): Buffer {
  const frame = textFrame(data);
  frame[0] = PING;
  return frame;
}

/** @param data of the ping: 125 bytes at most. */
export function pongFrame(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([PONG, data.length]), data]);
}

/** One frame that is to be written. What it shares with others it does not own: it is put together where it leaves. */
export class Frame {
  readonly #bytes: Buffer;
  readonly #idStart: number;
  readonly #id: string;

  /** @param id goes to `idStart`, where there is room for it. */
  constructor(bytes: Buffer, idStart = 0, id = "") {
    this.#bytes = bytes;
    this.#idStart = idStart;
    this.#id = id;
  }

  get length(): number {
    return this.#bytes.length;
  }

  copyTo(target: Buffer, start: number): void {
    this.#bytes.copy(target, start);
    if (this.#id !== "") target.write(this.#id, start + this.#idStart, "latin1");
  }
}

/** Frames of `next` messages that differ in their id alone. It remembers the last payload, which goes to everybody before the next. */
export class NextFrames {
  #payload: { readonly json: string } | undefined;
  #idLength = 0;
  #template: Buffer = Buffer.alloc(0);
  #idStart = 0;

  /** @param id as {@link idText} gives it. */
  frame(id: string, payload: { readonly json: string }): Frame {
    if (payload !== this.#payload || id.length !== this.#idLength) this.#prepare(id, payload);
    return new Frame(this.#template, this.#idStart, id);
  }

  #prepare(id: string, payload: { readonly json: string }): void {
    this.#payload = payload;
    this.#idLength = id.length;
    const message = nextMessage(id, payload.json);
    this.#template = textFrame(message);
    // Counted, not searched for: a byte of the header may be a quote.
    this.#idStart = headerLength(Buffer.byteLength(message)) + '{"id":"'.length;
  }
}

function headerLength(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10;
}

function writeHeader(frame: Buffer, length: number): void {
  frame[0] = FINAL_TEXT;
  if (length < 126) frame[1] = length;
  else if (length < 65_536) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
}
