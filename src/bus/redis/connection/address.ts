/** Where Redis is, as REDIS_URL says it. */
import type { RedisOptions } from "ioredis";

interface Node {
  readonly host: string;
  readonly port: number;
}

export interface RedisAddress {
  readonly kind: "standalone" | "cluster" | "sentinel";
  /** The server, or some of the cluster's, or the sentinels. */
  readonly nodes: readonly [Node, ...Node[]];
  /** What a connection needs beside its node. */
  readonly credentials: Pick<RedisOptions, "username" | "password" | "db" | "tls">;
  /** How the sentinels call what they watch. */
  readonly name: string;
}

const ADDRESS =
  /^redis(?<tls>s?)(?<sentinel>\+sentinel)?:\/\/((?<user>[^:@/]*)(:(?<password>[^@/]*))?@)?(?<hosts>[^@/?#]+)(\/(?<db>\d*))?(\?name=(?<name>[^&#]+))?$/;

const HOST = /^(\[(?<ipv6>[\da-fA-F:.]+)\]|(?<host>[^:[\]\s]+))(:(?<port>\d{1,5}))?$/;

/**
 * Takes a `redis://` or `rediss://` address apart. Several hosts, comma-separated, are a cluster's; those of `redis+sentinel://` are
 * sentinels, and `?name=` says which master they are asked for (`mymaster`).
 *
 * @throws Error where it is none.
 */
export function parseRedisAddress(url: string): RedisAddress {
  const parts = ADDRESS.exec(url)?.groups;
  if (!parts) throw new Error("not an address of Redis");
  const { user, password, db, tls, name } = parts;
  const isSentinel = parts["sentinel"] !== undefined;
  const [first, ...others] = (parts["hosts"] ?? "")
    .split(",")
    .map((text) => parseHost(text, isSentinel ? 26_379 : 6379));
  if (!first) throw new Error("an address of Redis without a host");
  return {
    kind: isSentinel ? "sentinel" : others.length > 0 ? "cluster" : "standalone",
    nodes: [first, ...others],
    credentials: {
      ...(user ? { username: decodeURIComponent(user) } : {}),
      ...(password ? { password: decodeURIComponent(password) } : {}),
      ...(db ? { db: Number(db) } : {}),
      ...(tls ? { tls: {} } : {}),
    },
    name: decodeURIComponent(name ?? "mymaster"),
  };
}

function parseHost(text: string, defaultPort: number): Node {
  const parts = HOST.exec(text)?.groups;
  const host = parts?.["ipv6"] ?? parts?.["host"];
  if (!parts || !host) throw new Error("an address of Redis without a host");
  return { host, port: Number(parts["port"] ?? defaultPort) };
}
