/** What a request says of the client behind it, as far as that may be believed. */
import type { IncomingMessage } from "node:http";
import type { ClientOrigin } from "../call-origin.ts";

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Version, trace, parent and flags; of all zeros none is valid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** @param trustProxy how many proxies in front are believed. */
export function clientOrigin({ headers, socket }: IncomingMessage, trustProxy: number): ClientOrigin {
  return {
    requestId: matching(REQUEST_ID, oneOf(headers["x-request-id"])),
    traceparent: matching(TRACEPARENT, oneOf(headers["traceparent"])),
    // Without TRUST_PROXY a proxy in front would be taken for the client.
    address: trustProxy > 0 ? clientAddress(headers["x-forwarded-for"], socket.remoteAddress, trustProxy) : undefined,
  };
}

/**
 * What a WebSocket's client says of itself: `connectionParams` win over the headers of the upgrade request, which a browser cannot set and
 * which may be a proxy's.
 */
export function connectionOrigin(
  upgrade: ClientOrigin,
  connectionParams: Readonly<Record<string, unknown>> = {},
): ClientOrigin {
  const { requestId, traceparent, "x-request-id": header } = connectionParams;
  return {
    requestId: matching(REQUEST_ID, requestId) ?? matching(REQUEST_ID, header) ?? upgrade.requestId,
    traceparent: matching(TRACEPARENT, traceparent) ?? upgrade.traceparent,
    address: upgrade.address,
  };
}

/**
 * The address of the client: of those that a request has come by, the first that none of the believed proxies has put there. The
 * last proxy's own is the socket's.
 */
export function clientAddress(
  forwardedFor: string | readonly string[] | undefined,
  socketAddress: string | undefined,
  trustProxy: number,
): string | undefined {
  const named = [forwardedFor ?? []].flat().flatMap((value) => value.split(",").map((address) => address.trim()));
  const path = [...named.filter((address) => address !== ""), ...(socketAddress === undefined ? [] : [socketAddress])];
  return path.at(Math.max(-path.length, -1 - trustProxy));
}

function matching(pattern: RegExp, value: unknown): string | undefined {
  return typeof value === "string" && pattern.test(value) ? value : undefined;
}

function oneOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}
