/** Reads the frames of a server: RFC 6455, section 5.2, and permessage-deflate without a context. */
import { constants, inflateRawSync } from "node:zlib";

/** What ends a flushed block of DEFLATE, and is left out of a message: RFC 7692, section 7.2.1. */
const FLUSH_END = Buffer.from([0, 0, 0xff, 0xff]);

export class ServerFrames {
  readonly #onFrame: (opcode: number, payload: Buffer) => void;
  #waiting: Buffer[] = [];
  #bytes = 0;
  /** Bytes without which there is no use in looking again. */
  #needed = 2;

  /** @param onFrame a frame of a server is a whole message; its payload is decompressed. */
  constructor(onFrame: (opcode: number, payload: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#needed) return;
    let data = this.#waiting.length === 1 ? chunk : Buffer.concat(this.#waiting);
    for (;;) {
      const bytes = sizeOf(data);
      this.#needed = bytes ?? data.length + 1;
      if (bytes === undefined || data.length < bytes) break;
      this.#read(data.subarray(0, bytes));
      data = data.subarray(bytes);
    }
    this.#waiting = [data];
    this.#bytes = data.length;
  }

  #read(frame: Buffer): void {
    const first = frame[0] ?? 0;
    const payload = frame.subarray(headerBytes(frame));
    const isCompressed = (first & 0x40) !== 0;
    this.#onFrame(
      first & 0x0f,
      isCompressed
        ? inflateRawSync(Buffer.concat([payload, FLUSH_END]), { finishFlush: constants.Z_SYNC_FLUSH })
        : payload,
    );
  }
}

function headerBytes(data: Buffer): number {
  const length = (data[1] ?? 0) & 0x7f;
  return length === 126 ? 4 : length === 127 ? 10 : 2;
}

/** Of the first frame. Undefined where too little of it has come to know. */
function sizeOf(data: Buffer): number | undefined {
  if (data.length < 2 || data.length < headerBytes(data)) return undefined;
  const length = (data[1] ?? 0) & 0x7f;
  const header = headerBytes(data);
  if (length === 126) return header + data.readUInt16BE(2);
  return header + (length === 127 ? Number(data.readBigUInt64BE(2)) : length);
}
