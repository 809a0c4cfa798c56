/** A REST API that stops answering: requests fail at once, until one of them is answered again. */
import { expect, test, vi } from "vitest";
import { eventually } from "../support/eventually.ts";
import { CHAT, chatApiAt, errorOf, recordingLog, TOKEN, type DisposableChatApi } from "../support/rest-chat-api.ts";
import { json, startScriptedServer, type ScriptedServer } from "../support/scripted-server.ts";

interface Switched extends ScriptedServer {
  /** Whether requests are answered. */
  isUp: boolean;
}

async function startSwitched(): Promise<Switched> {
  const server = await startScriptedServer((response, request) =>
    switched.isUp ? json(200, { chat: CHAT })(response, request) : undefined,
  );
  const switched: Switched = Object.assign(server, { isUp: true });
  return switched;
}

/** Another chat each time, so that no two requests are one. */
async function timeOut(api: DisposableChatApi, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    expect((await errorOf(api.chat(TOKEN, `silent${count}`))).code).toBe("UPSTREAM_TIMEOUT");
  }
}

test("five timeouts in succession open it: what follows fails at once, without a request", async () => {
  const { log, lines } = recordingLog();
  await using server = await startSwitched();
  await using api = chatApiAt(server.url, { timeoutMs: 150, log });
  expect(api.status.circuit).toBe("closed");
  server.isUp = false;
  await timeOut(api, 5);
  // However slow this machine is, the time to try again has not come.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 60_000 });
  try {
    expect(api.status.circuit).toBe("open");
    const before = server.requests.length;
    const error = await errorOf(api.chat(TOKEN, "c1"));
    expect(error).toMatchObject({ code: "UPSTREAM_UNAVAILABLE", retryAfterMs: expect.any(Number) });
    expect(server.requests).toHaveLength(before);
    expect(lines).toContainEqual(expect.objectContaining({ msg: expect.stringContaining("fail at once") }));
  } finally {
    vi.useRealTimers();
  }
});

test("an answer in between keeps it closed", async () => {
  await using server = await startSwitched();
  await using api = chatApiAt(server.url, { timeoutMs: 150 });
  for (let round = 0; round < 2; round++) {
    server.isUp = false;
    await timeOut(api, 4);
    server.isUp = true;
    expect(await api.chat(TOKEN, "c1")).toMatchObject({ id: "c1" });
  }
  expect(api.status.circuit).toBe("closed");
});

test("one request is let through after a while, the others still fail at once, and its answer closes it", async () => {
  await using server = await startSwitched();
  await using api = chatApiAt(server.url, { timeoutMs: 150 });
  server.isUp = false;
  await timeOut(api, 5);
  await eventually(() => expect(api.status.circuit).toBe("open"));
  const before = server.requests.length;
  // Sooner or later it is asked again, and asks in vain.
  await eventually(async () => expect((await errorOf(api.chat(TOKEN, "probe"))).code).toBe("UPSTREAM_TIMEOUT"));
  expect(server.requests).toHaveLength(before + 1);
  server.isUp = true;
  await eventually(async () => {
    const outcomes = await Promise.allSettled(["a", "b", "c"].map((id) => api.chat(TOKEN, id)));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  });
  expect(api.status.circuit).toBe("closed");
  expect(await api.chat(TOKEN, "c1")).toMatchObject({ id: "c1" });
});

test("what waited too long for a connection says nothing about the API", async () => {
  const held: (() => void)[] = [];
  await using server = await startScriptedServer(async (response, request) => {
    await new Promise<void>((resolve) => held.push(resolve));
    await json(200, { chat: CHAT })(response, request);
  });
  await using api = chatApiAt(server.url, { timeoutMs: 300, connections: 1 });
  const first = api.chat(TOKEN, "c1");
  await eventually(() => expect(held).toHaveLength(1));
  const queued = Array.from({ length: 8 }, async (_, index) => errorOf(api.chat(TOKEN, `queued${index}`)));
  held[0]?.();
  await first;
  // The next one holds the only connection until its own time is over; the others have never been sent.
  const codes = (await Promise.all(queued)).map(({ code }) => code);
  expect(new Set(codes)).toEqual(new Set(["UPSTREAM_TIMEOUT"]));
  expect(api.status.circuit).toBe("closed");
});
