import { describe, expect, test } from "vitest";
import { parseRedisAddress, RedisAddressError, type RedisAddress } from "../../src/config/redis-address.ts";
import { ConfigError, parseConfig } from "../../src/config/config.ts";

const PLAIN: RedisAddress = {
  kind: "standalone",
  nodes: [{ host: "a", port: 6379 }],
  isSecure: false,
  database: 0,
  credentials: {},
  masterName: "mymaster",
  sentinelCredentials: undefined,
};
const SENTINEL: RedisAddress = { ...PLAIN, kind: "sentinel", nodes: [{ host: "a", port: 26_379 }] };
const USER = { username: "user", password: "secret" };

describe("an address of Redis is taken apart", () => {
  test.each<readonly [string, RedisAddress]>([
    ["redis://a", PLAIN],
    ["redis://a:6380/", { ...PLAIN, nodes: [{ host: "a", port: 6380 }] }],
    ["redis://10.0.0.1/3", { ...PLAIN, nodes: [{ host: "10.0.0.1", port: 6379 }], database: 3 }],
    ["redis://[::1]:6380", { ...PLAIN, nodes: [{ host: "::1", port: 6380 }] }],
    ["redis://[fe80::1%25eth0]", { ...PLAIN, nodes: [{ host: "fe80::1%eth0", port: 6379 }] }],
    ["REDIS://a", PLAIN],
    ["RedisS+Cluster://a", { ...PLAIN, kind: "cluster", isSecure: true }],
    ["Redis+SENTINEL://a", SENTINEL],
    ["redis://[2001:db8::1]/2", { ...PLAIN, nodes: [{ host: "2001:db8::1", port: 6379 }], database: 2 }],
    ["redis://:p%40%2Fs%20s@a", { ...PLAIN, credentials: { password: "p@/s s" } }],
    ["redis://:a:b@a", { ...PLAIN, credentials: { password: "a:b" } }],
    ["redis://user@a", { ...PLAIN, credentials: { username: "user" } }],
    ["rediss://user:secret@a:1", { ...PLAIN, isSecure: true, nodes: [{ host: "a", port: 1 }], credentials: USER }],
    [
      "redis://a,b:7001,[::1]",
      {
        ...PLAIN,
        kind: "cluster",
        nodes: [
          { host: "a", port: 6379 },
          { host: "b", port: 7001 },
          { host: "::1", port: 6379 },
        ],
      },
    ],
    ["redis+cluster://a", { ...PLAIN, kind: "cluster" }],
    ["rediss+cluster://user:secret@a/0", { ...PLAIN, kind: "cluster", isSecure: true, credentials: USER }],
    [
      "redis+sentinel://a,b:5000/1?name=chat",
      { ...SENTINEL, masterName: "chat", database: 1, nodes: [...SENTINEL.nodes, { host: "b", port: 5000 }] },
    ],
    ["rediss+sentinel://user:secret@a/0", { ...SENTINEL, isSecure: true, credentials: USER }],
    [
      "redis+sentinel://:secret@a?sentinelUsername=watch&sentinelPassword=p%26q&name=chat",
      {
        ...SENTINEL,
        masterName: "chat",
        credentials: { password: "secret" },
        sentinelCredentials: { username: "watch", password: "p&q" },
      },
    ],
  ])("%s", (url, expected) => {
    expect(parseRedisAddress(url)).toEqual(expected);
  });
});

/** What is wrong, and what is said of it. */
const WRONG: readonly (readonly [reason: string, ...given: string[]])[] = [
  ["another scheme", "a:6379", "http://a", "rediss+redis://a", "redis:/a", "//a"],
  ["an address with white space: write a space as %20", "redis://:p s@a", "redis://a, b", "redis://a\u0000 b"],
  ["an address with a #: in a password write it as %23", "redis://:p#s@a", "redis://a#b"],
  ["an address with a ? too many: in a password write it as %3F", "redis://:p?s@a", "redis://:p@a?name=b?c"],
  [
    "an address with an @ or a / too many: in a password write @ as %40 and / as %2F",
    "redis://:p@s@a",
    "redis://:p/s@a",
    "redis://:p@s/s@a",
    "redis://a/0/1",
  ],
  ["an address without a host", "redis://", "redis://:p@", "redis://a,", "redis:///0", "redis+sentinel://,a"],
  ["a host or a port that is none: an IPv6 address needs brackets", "redis://a:x", "redis://a:0", "redis://a:65536"],
  ["a host or a port that is none: an IPv6 address needs brackets", "redis://::1", "redis://[a]", "redis://[]:1"],
  ["a database that is not a number", "redis://a/x", "redis://a/-1", "redis://a/1.5", "redis://a/9999999999"],
  ["a database of a Redis Cluster, which has only 0", "redis://a,b/1", "redis+cluster://a/1"],
  ["a parameter that this kind of address has not", "redis://a?name=b", "redis+cluster://a?name=b"],
  ["a parameter that this kind of address has not", "redis+sentinel://a?db=1", "redis+sentinel://a?"],
  ["a parameter twice", "redis+sentinel://a?name=b&name=c"],
  ["a parameter without a value", "redis+sentinel://a?name=", "redis+sentinel://a?name"],
  ["a % that begins no escape: write it as %25", "redis://:p%@a", "redis://u%zz:p@a", "redis+sentinel://a?name=%C3"],
];

describe("a wrong address of Redis is refused with the reason", () => {
  test.each(WRONG.flatMap(([reason, ...given]) => given.map((url) => [url, reason] as const)))("%s", (url, reason) => {
    expect(() => parseRedisAddress(url)).toThrow(new RedisAddressError(reason));
    const expected = "expected a redis:// or rediss:// address, hosts comma-separated";
    expect(() => parseConfig({ REDIS_URL: url })).toThrow(new ConfigError(`REDIS_URL: ${expected}, got ${reason}`));
  });
});

test.each(["redis://[::1]:6379", "redis+cluster://a", "rediss+sentinel://u:p@a,b/0?sentinelPassword=c"])(
  "REDIS_URL=%s is taken as it is",
  (url) => {
    expect(parseConfig({ REDIS_URL: url }).REDIS_URL).toBe(url);
  },
);
