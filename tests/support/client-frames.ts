/** Frames as clients send them, made by hand: also those that no library would send. */
import { deflateRawSync, constants } from "node:zlib";

/** RFC 6455, section 5.2. */
export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly opcode?: number;
  /** The last frame of its message: so unless it says otherwise. */
  readonly final?: boolean;
  /** RSV1: the message is compressed. */
  readonly compressed?: boolean;
}

/** A masked frame, as every frame of a client is. */
export function clientFrame(
  payload: Buffer | string,
  { opcode = Opcode.text, final = true, compressed = false }: FrameOptions = {},
): Buffer {
  const data = Buffer.from(payload);
  const length = data.length < 126 ? data.length : data.length < 65_536 ? 126 : 127;
  const header = Buffer.alloc(length === 126 ? 4 : length === 127 ? 10 : 2);
  header[0] = (final ? 0x80 : 0) | (compressed ? 0x40 : 0) | opcode;
  header[1] = 0x80 | length;
  if (length === 126) header.writeUInt16BE(data.length, 2);
  if (length === 127) header.writeBigUInt64BE(BigInt(data.length), 2);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([header, Buffer.alloc(4), data]);
}

/** A message in one frame, compressed as permessage-deflate has it. */
export function compressedFrame(text: string): Buffer {
  const deflated = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
  return clientFrame(deflated.subarray(0, -4), { compressed: true });
}
