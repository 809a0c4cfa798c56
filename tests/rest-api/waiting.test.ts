import { afterEach, describe, expect, it, vi } from "vitest";
import { backoff, retryAfterMs } from "../../src/upstream/retry.ts";
import { chatApiAt, CHAT, errorOf, MESSAGE, recordingLog, TOKEN } from "../support/rest-chat-api.ts";
import { inTurn, json, raw, startScriptedServer } from "../support/scripted-server.ts";

afterEach(() => vi.restoreAllMocks());

describe("the wait between attempts", () => {
  it("is anything up to a bound that doubles with each failure and stops at a maximum", () => {
    const random = vi.spyOn(Math, "random");
    random.mockReturnValue(0);
    expect(backoff(3, 100, 10_000)).toBe(0);
    random.mockReturnValue(0.5);
    expect([1, 2, 3, 4].map((failures) => backoff(failures, 100, 10_000))).toEqual([50, 100, 200, 400]);
    expect(backoff(9, 100, 1000)).toBe(500);
  });

  it("is no shorter than Retry-After asks for", async () => {
    const logged = Promise.withResolvers<void>();
    const { log, lines } = recordingLog(() => logged.resolve());
    await using server = await startScriptedServer(raw(503, "", { "retry-after": "20" }));
    await using api = chatApiAt(server.url, { log });
    const error = errorOf(api.chats(TOKEN));
    await logged.promise;
    await api.close();
    expect(lines).toMatchObject([
      { waitMs: 20_000, attempt: 1, method: "GET", path: "/chats", outcome: "answered 503" },
    ]);
    expect((await error).retryAfterMs).toBe(20_000);
    expect(server.requests).toHaveLength(1);
  });

  it("is over at once where Retry-After says so", async () => {
    await using server = await startScriptedServer(
      inTurn(raw(429, "", { "retry-after": "0" }), json(200, { chats: [CHAT] })),
    );
    await using api = chatApiAt(server.url);
    expect(await api.chats(TOKEN)).toHaveLength(1);
  });

  it("follows its own backoff where Retry-After is nonsense", async () => {
    await using server = await startScriptedServer(
      inTurn(raw(503, "", { "retry-after": "soon" }), json(200, { chats: [CHAT] })),
    );
    await using api = chatApiAt(server.url);
    expect(await api.chats(TOKEN)).toHaveLength(1);
  });
});

describe("a Retry-After longer than the timeout", () => {
  it("is told to the caller at once instead of being waited for", async () => {
    await using server = await startScriptedServer(raw(429, "", { "retry-after": "3600" }));
    await using api = chatApiAt(server.url);
    const error = await errorOf(api.chats(TOKEN));
    expect(error).toMatchObject({ code: "UPSTREAM_UNAVAILABLE", retryAfterMs: 3_600_000 });
    expect(server.requests).toHaveLength(1);
  });

  it("may be a date", async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    await using server = await startScriptedServer(raw(503, "", { "retry-after": date }));
    await using api = chatApiAt(server.url);
    const error = await errorOf(api.sendMessage(TOKEN, "c1", MESSAGE.content, "key-1"));
    expect(error.code).toBe("UPSTREAM_UNAVAILABLE");
    expect(error.retryAfterMs).toBeGreaterThan(30_000);
    expect(error.retryAfterMs).toBeLessThanOrEqual(3_600_000);
    expect(server.requests).toHaveLength(1);
  });
});

describe("what clients are told of a Retry-After", () => {
  const toldOf = async (header: string): Promise<number | undefined> => {
    await using server = await startScriptedServer(raw(503, "", { "retry-after": header }));
    await using api = chatApiAt(server.url, { attempts: 1 });
    return (await errorOf(api.chats(TOKEN))).retryAfterMs;
  };

  it.each(["0", "Thu, 01 Jan 2015 00:00:00 GMT"])("is nothing where it is over: %s", async (header) => {
    expect(await toldOf(header)).toBeUndefined();
  });

  it.each(["99999999", "Fri, 31 Dec 9999 23:59:59 GMT"])("is an hour at most: %s", async (header) => {
    expect(await toldOf(header)).toBe(3_600_000);
  });
});

describe("Retry-After", () => {
  const NOW = Date.parse("2026-01-01T00:00:00.500Z");

  it.each([
    ["0", 0],
    ["120", 120_000],
    ["Thu, 01 Jan 2026 00:00:02 GMT", 1500],
    ["Thursday, 01-Jan-26 00:00:02 GMT", 1500],
    ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
    ["-1", undefined],
    ["1.5", undefined],
    ["2026-01-01T00:01:00Z", undefined],
    ["soon", undefined],
    ["", undefined],
    ["9".repeat(400), undefined],
  ])("%j is read as %j ms", (header, expected) => {
    expect(retryAfterMs(header, NOW)).toBe(expected);
  });

  it("may be absent", () => {
    expect(retryAfterMs(undefined, NOW)).toBeUndefined();
  });
});
