/** Addresses of clients, in one spelling each. */
import { isIPv4, isIPv6 } from "node:net";

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * An address as sockets and proxies write it, without port, brackets, quotes and zone: IPv4, also where it is mapped into IPv6, or IPv6 in
 * its short form. Undefined where it is none.
 */
export function readAddress(text: string): string | undefined {
  const host = withoutPort(text.trim().replace(/^"(.*)"$/, "$1"));
  if (isIPv4(host)) return host;
  const [address = ""] = host.split("%", 1);
  if (!isIPv6(address)) return undefined;
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = MAPPED.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  return [high, low]
    .map((part) => Number.parseInt(part, 16))
    .flatMap((part) => [part >> 8, part & 255])
    .join(".");
}

/** What belongs to one client: an IPv4 address, or the first 64 bits of an IPv6 address, of which anybody has all the rest. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [before = "", after] = address.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail];
  return `${groups.slice(0, 4).join(":")}::/64`;
}

function withoutPort(text: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text) ?? [];
  if (bracketed !== undefined) return bracketed;
  const [, v4] = /^([\d.]+):\d{1,5}$/.exec(text) ?? [];
  return v4 ?? text;
}
