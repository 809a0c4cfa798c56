/** How ws serves sockets. */
import { handleProtocols } from "graphql-ws";
import type { ServerOptions } from "ws";
import type { Config } from "../../config/config.ts";

/**
 * How long a client may take over its side of the closing handshake. A connection from which nothing is read, since its client does not read or
 * sends far too much, lasts so long in any case: what that client sends is not read for the sake of its answer.
 */
const CLOSE_TIMEOUT_MS = 3000;

/** Shorter messages are sent as they are: compressing them costs more than it saves. */
const COMPRESSION_THRESHOLD_BYTES = 1024;

/** `closeTimeout` is there, but not in the types yet. */
export function socketOptions({
  COMPRESSION,
  MAX_PAYLOAD_SIZE,
}: Pick<Config, "COMPRESSION" | "MAX_PAYLOAD_SIZE">): ServerOptions & { closeTimeout: number } {
  return {
    noServer: true,
    // Of many pings the last is answered.
    autoPong: false,
    clientTracking: false,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (protocols) => handleProtocols(protocols),
    maxPayload: MAX_PAYLOAD_SIZE,
    perMessageDeflate: COMPRESSION && { threshold: COMPRESSION_THRESHOLD_BYTES, serverNoContextTakeover: true },
  };
}
