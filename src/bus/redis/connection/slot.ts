/** Which of a cluster's slots a name falls into. */

export const SLOTS = 16_384;

/** CRC16/XMODEM of what is between the first braces, or of all of the name where nothing is; as the cluster's specification has it. */
export function slotOf(name: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashTag(name))) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return (crc & 0xffff) % SLOTS;
}

function hashTag(name: string): string {
  const open = name.indexOf("{");
  const close = open === -1 ? -1 : name.indexOf("}", open);
  return close > open + 1 ? name.slice(open + 1, close) : name;
}
