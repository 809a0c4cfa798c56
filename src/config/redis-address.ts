/**
 * The addresses of Redis that `REDIS_URL` takes:
 *
 *     redis[s]://[user[:password]@]host[:port][/database]
 *     redis[s]://[user[:password]@]host[:port],host[:port],…          a Redis Cluster
 *     redis[s]+cluster://[user[:password]@]host[:port][,…]            the same, by one endpoint or several
 *     redis[s]+sentinel://[user[:password]@]host[:port][,…][/database][?name=…&sentinelUsername=…&sentinelPassword=…]
 */
import { isIPv6 } from "node:net";

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export interface RedisCredentials {
  readonly username?: string;
  readonly password?: string;
}

export interface RedisAddress {
  readonly kind: "standalone" | "cluster" | "sentinel";
  /** The server, some nodes of the cluster, or the sentinels. */
  readonly nodes: readonly [RedisNode, ...RedisNode[]];
  /** Whether every connection is TLS. */
  readonly isSecure: boolean;
  readonly database: number;
  /** For the server, the nodes of the cluster, or the master that the sentinels name. */
  readonly credentials: RedisCredentials;
  /** The name under which the sentinels watch the master. */
  readonly masterName: string;
  /** For the sentinels alone. Undefined: they get `credentials`, if they ask for any. */
  readonly sentinelCredentials: RedisCredentials | undefined;
}

/** What is wrong with an address, in words that are the same whatever was given: an address may hold a secret. */
export class RedisAddressError extends Error {
  override readonly name = "RedisAddressError";
  readonly reason: string;

  /** @param reason completes "got …". */
  constructor(reason: string) {
    super(`not an address of Redis: got ${reason}`);
    this.reason = reason;
  }
}

/** A scheme's case is of no meaning, RFC 3986, section 3.1. */
const SCHEME = /^redis(?<secure>s)?(?:\+(?<kind>sentinel|cluster))?:\/\//i;
const HOST = /^(?:\[(?<ipv6>[^\]]*)\]|(?<name>[^:[\]]+))(?::(?<port>\d{1,5}))?$/;
const PARAMETERS = ["name", "sentinelUsername", "sentinelPassword"] as const;

type Parameters = Readonly<Partial<Record<(typeof PARAMETERS)[number], string>>>;

/**
 * Takes an address apart.
 *
 * @throws RedisAddressError
 */
export function parseRedisAddress(text: string): RedisAddress {
  const scheme = SCHEME.exec(text);
  if (!scheme) throw new RedisAddressError("another scheme");
  if (/\s/.test(text)) throw new RedisAddressError("an address with white space: write a space as %20");
  if (text.includes("#")) throw new RedisAddressError("an address with a #: in a password write it as %23");
  const [before, query, ...more] = text.slice(scheme[0].length).split("?");
  if (more.length > 0 || query?.includes("@")) {
    throw new RedisAddressError("an address with a ? too many: in a password write it as %3F");
  }
  const { userinfo, hosts, path } = splitAuthority(before ?? "");
  const kind = scheme.groups?.["kind"]?.toLowerCase();
  const isSentinel = kind === "sentinel";
  const nodes = parseHosts(hosts, isSentinel ? 26_379 : 6379);
  const isCluster = kind === "cluster" || (!isSentinel && nodes.length > 1);
  const { name, sentinelUsername, sentinelPassword } = parseQuery(query, isSentinel);
  const hasOwnCredentials = sentinelUsername !== undefined || sentinelPassword !== undefined;
  return {
    kind: isSentinel ? "sentinel" : isCluster ? "cluster" : "standalone",
    nodes,
    isSecure: scheme.groups?.["secure"] !== undefined,
    database: parseDatabase(path, isCluster),
    credentials: parseUserinfo(userinfo),
    masterName: name ?? "mymaster",
    sentinelCredentials: hasOwnCredentials ? credentials(sentinelUsername, sentinelPassword) : undefined,
  };
}

function splitAuthority(text: string): { userinfo: string; hosts: string; path: string } {
  const [authority = "", path = "", ...deeper] = text.split("/");
  const parts = authority.split("@");
  if (parts.length > 2 || deeper.length > 0 || path.includes("@")) {
    throw new RedisAddressError("an address with an @ or a / too many: in a password write @ as %40 and / as %2F");
  }
  return { userinfo: parts.length === 2 ? (parts[0] ?? "") : "", hosts: parts.at(-1) ?? "", path };
}

function parseUserinfo(userinfo: string): RedisCredentials {
  const colon = userinfo.indexOf(":");
  if (colon === -1) return credentials(decode(userinfo), undefined);
  return credentials(decode(userinfo.slice(0, colon)), decode(userinfo.slice(colon + 1)));
}

function credentials(username: string | undefined, password: string | undefined): RedisCredentials {
  return { ...(username ? { username } : {}), ...(password ? { password } : {}) };
}

function parseHosts(text: string, defaultPort: number): readonly [RedisNode, ...RedisNode[]] {
  const [first, ...others] = text.split(",").map((host) => parseHost(host, defaultPort));
  if (!first) throw new RedisAddressError("an address without a host");
  return [first, ...others];
}

function parseHost(text: string, defaultPort: number): RedisNode {
  if (text === "") throw new RedisAddressError("an address without a host");
  const parts = HOST.exec(text)?.groups;
  // The % before a zone is escaped in an address, RFC 6874.
  const host = parts?.["ipv6"]?.replace("%25", "%") ?? parts?.["name"];
  const port = Number(parts?.["port"] ?? defaultPort);
  if (!host || (parts?.["ipv6"] !== undefined && !isIPv6(host)) || port < 1 || port > 65_535) {
    throw new RedisAddressError("a host or a port that is none: an IPv6 address needs brackets");
  }
  return { host, port };
}

function parseDatabase(text: string, isCluster: boolean): number {
  if (!/^\d{0,9}$/.test(text)) throw new RedisAddressError("a database that is not a number");
  const database = Number(text);
  if (isCluster && database !== 0) throw new RedisAddressError("a database of a Redis Cluster, which has only 0");
  return database;
}

function parseQuery(query: string | undefined, isSentinel: boolean): Parameters {
  if (query === undefined) return {};
  const given = query.split("&").map((parameter) => {
    const [key = "", ...value] = parameter.split("=");
    const name = PARAMETERS.find((known) => known === key);
    if (name === undefined || !isSentinel) throw new RedisAddressError("a parameter that this kind of address has not");
    return [name, decode(value.join("="))] as const;
  });
  const values = new Map(given);
  if (values.size < given.length) throw new RedisAddressError("a parameter twice");
  if (given.some(([, value]) => value === "")) throw new RedisAddressError("a parameter without a value");
  return Object.fromEntries(values);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RedisAddressError("a % that begins no escape: write it as %25");
  }
}
