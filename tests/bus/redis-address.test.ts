import { describe, expect, test } from "vitest";
import { parseRedisAddress } from "../../src/bus/redis/connection/address.ts";

const PLAIN = { kind: "standalone", credentials: {}, name: "mymaster" };

describe("an address of Redis", () => {
  test.each([
    ["redis://localhost", { ...PLAIN, nodes: [{ host: "localhost", port: 6379 }] }],
    ["redis://redis.example:6380/", { ...PLAIN, nodes: [{ host: "redis.example", port: 6380 }] }],
    ["redis://10.0.0.1/3", { ...PLAIN, nodes: [{ host: "10.0.0.1", port: 6379 }], credentials: { db: 3 } }],
    ["redis://:p%40ss@a", { ...PLAIN, nodes: [{ host: "a", port: 6379 }], credentials: { password: "p@ss" } }],
    [
      "rediss://user:secret@a:1",
      { ...PLAIN, nodes: [{ host: "a", port: 1 }], credentials: { username: "user", password: "secret", tls: {} } },
    ],
    [
      "redis://a,b:7001,c",
      {
        ...PLAIN,
        kind: "cluster",
        nodes: [
          { host: "a", port: 6379 },
          { host: "b", port: 7001 },
          { host: "c", port: 6379 },
        ],
      },
    ],
    [
      "redis+sentinel://a,b:5000/1?name=chat",
      {
        kind: "sentinel",
        name: "chat",
        credentials: { db: 1 },
        nodes: [
          { host: "a", port: 26_379 },
          { host: "b", port: 5000 },
        ],
      },
    ],
  ])("%s is understood", (url, expected) => {
    expect(parseRedisAddress(url)).toEqual(expected);
  });

  test.each(["localhost", "http://a", "redis://", "redis://a,", "redis://a:x"])("%s is none", (url) => {
    expect(() => parseRedisAddress(url)).toThrow(/address of Redis/);
  });
});
