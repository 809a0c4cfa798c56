/** What a request says of the client behind it, as far as that may be believed. */
import type { IncomingMessage } from "node:http";
import type { ClientOrigin } from "../call-origin.ts";
import { readAddress } from "../ip-address.ts";
import type { Log } from "../log.ts";

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Version, trace, parent and flags; of all zeros none is valid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Finds out where clients are, of which there is one rule for all transports. */
export class ClientOrigins {
  readonly #trustProxy: number;
  readonly #log: Log;
  #hasWarned = false;

  /** @param trustProxy how many proxies in front are believed. */
  constructor(trustProxy: number, log: Log) {
    this.#trustProxy = trustProxy;
    this.#log = log;
  }

  /** What a request says of its client. */
  of({ headers, socket }: IncomingMessage): ClientOrigin {
    const forwardedFor = headers["x-forwarded-for"];
    if (forwardedFor !== undefined && this.#trustProxy === 0) this.#warn();
    const address = clientAddress(forwardedFor, socket.remoteAddress, this.#trustProxy);
    return {
      requestId: matching(REQUEST_ID, oneOf(headers["x-request-id"])),
      traceparent: matching(TRACEPARENT, oneOf(headers["traceparent"])),
      address,
      // Without TRUST_PROXY a proxy in front would be taken for the client.
      forwardedFor: this.#trustProxy > 0 ? address : undefined,
    };
  }

  #warn(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#log.warn(
      "X-Forwarded-For arrives and is not believed, so that all clients of a proxy share one address: set TRUST_PROXY to the number of proxies in front",
    );
  }
}

/**
 * What a WebSocket's client says of itself: `connectionParams` win over the headers of the upgrade request, which a browser cannot set and
 * which may be a proxy's.
 */
export function connectionOrigin(
  upgrade: ClientOrigin,
  connectionParams: Readonly<Record<string, unknown>> = {},
): ClientOrigin {
  const header = (name: string): unknown => headerOf(connectionParams, name);
  return {
    requestId:
      matching(REQUEST_ID, connectionParams["requestId"]) ??
      matching(REQUEST_ID, header("x-request-id")) ??
      upgrade.requestId,
    traceparent: matching(TRACEPARENT, header("traceparent")) ?? upgrade.traceparent,
    address: upgrade.address,
    forwardedFor: upgrade.forwardedFor,
  };
}

/** By name, as headers are: whatever their case. */
function headerOf(params: Readonly<Record<string, unknown>>, name: string): unknown {
  const found = Object.keys(params).find((key) => key.length === name.length && key.toLowerCase() === name);
  return found === undefined ? undefined : params[found];
}

/**
 * The address of the client: of those that a request has come by, the first that none of the believed proxies has put there. The
 * last proxy's own is the socket's. What is no address says nothing: the next one towards this gateway counts instead.
 */
export function clientAddress(
  forwardedFor: string | readonly string[] | undefined,
  socketAddress: string | undefined,
  trustProxy: number,
): string | undefined {
  const nearest = socketAddress === undefined ? undefined : readAddress(socketAddress);
  if (forwardedFor === undefined || trustProxy === 0) return nearest;
  const named = [forwardedFor].flat().flatMap((value) => value.split(","));
  const believed = named.filter((address) => address.trim() !== "").slice(-trustProxy);
  for (const text of believed) {
    const address = readAddress(text);
    if (address !== undefined) return address;
  }
  return nearest;
}

function matching(pattern: RegExp, value: unknown): string | undefined {
  return typeof value === "string" && pattern.test(value) ? value : undefined;
}

function oneOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}
