/** WebSocket frames (RFC 6455), as cheaply as a load generator can have them. */

export const Opcode = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** Gets one frame: its payload is `data` from `start` to before `end`, valid during the call only. */
export type FrameVisitor = (opcode: number, data: Buffer, start: number, end: number) => void;

const MASKED = 0x80;
const FINAL = 0x80;

/**
 * A client's frame. Clients must mask; a key of zeros leaves the payload as it is, and a server undoes it like any other.
 */
export function encodeFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + extended + 4 + length);
  frame[0] = FINAL | opcode;
  frame[1] = MASKED | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  payload.copy(frame, 2 + extended + 4);
  return frame;
}

export function encodeText(text: string): Buffer {
  return encodeFrame(Opcode.text, Buffer.from(text));
}

/**
 * Visits every whole frame of a server in `data` before `end`. Servers do not mask.
 *
 * @returns where the first frame that is not whole begins.
 */
export function scanFrames(data: Buffer, end: number, visit: FrameVisitor): number {
  let at = 0;
  while (end - at >= 2) {
    const short = data.readUInt8(at + 1);
    const extended = short < 126 ? 0 : short === 126 ? 2 : 8;
    const start = at + 2 + extended;
    if (start > end) break;
    const frameEnd = start + payloadLength(data, at, short);
    if (frameEnd > end) break;
    visit(data.readUInt8(at) & 0x0f, data, start, frameEnd);
    at = frameEnd;
  }
  return at;
}

function payloadLength(data: Buffer, at: number, short: number): number {
  if (short < 126) return short;
  return short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2));
}
