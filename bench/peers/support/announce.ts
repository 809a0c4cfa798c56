import type { AddressInfo } from "node:net";
import { stdout } from "node:process";

/** Tells whoever started this process that it listens, and where. */
export function announce(address: AddressInfo | string | null): void {
  if (address === null || typeof address === "string") throw new Error("this server has no port");
  stdout.write(`${JSON.stringify({ port: address.port })}\n`);
}
