/** A REST API that stops answering: requests fail at once, until one of them is answered again. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ApiCircuit } from "../../src/upstream/circuit-breaker.ts";
import type { Outcome } from "../../src/upstream/outcome.ts";
import { CHAT, chatApiAt, errorOf, recordingLog, TOKEN, type DisposableChatApi } from "../support/rest-chat-api.ts";
import { json, silence, startScriptedServer } from "../support/scripted-server.ts";
import { silentLog } from "../support/silent-log.ts";

describe("a circuit", () => {
  const TIMEOUT_MS = 500;
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  const ANSWERED: Outcome = { kind: "answered", status: 200, text: "", retryAfter: undefined, encoding: undefined };

  /** A request that takes so long. */
  async function ask(circuit: ApiCircuit, outcome: Outcome, tookMs: number): Promise<void> {
    await circuit.run(async () => {
      vi.advanceTimersByTime(tookMs);
      return outcome;
    });
  }

  async function askInVain(circuit: ApiCircuit, times: number, tookMs = TIMEOUT_MS): Promise<void> {
    for (let count = 0; count < times; count++) await ask(circuit, { kind: "timed-out" }, tookMs);
  }

  test("opens with the fifth timeout in succession, for a while", async () => {
    const circuit = new ApiCircuit(TIMEOUT_MS, silentLog());
    await askInVain(circuit, 4);
    expect([circuit.state, circuit.retryAfterMs]).toEqual(["closed", undefined]);
    await askInVain(circuit, 1);
    expect([circuit.state, circuit.retryAfterMs]).toEqual(["open", TIMEOUT_MS]);
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    expect(circuit.retryAfterMs).toBe(1);
    vi.advanceTimersByTime(1);
    expect(circuit.retryAfterMs).toBeUndefined();
  });

  test("stays closed where an answer comes between timeouts", async () => {
    const circuit = new ApiCircuit(TIMEOUT_MS, silentLog());
    for (let round = 0; round < 3; round++) {
      await askInVain(circuit, 4);
      await ask(circuit, ANSWERED, 1);
    }
    expect(circuit.state).toBe("closed");
  });

  test("does not count a request that had less than half of its time when it was sent", async () => {
    const circuit = new ApiCircuit(TIMEOUT_MS, silentLog());
    await askInVain(circuit, 10, TIMEOUT_MS / 2 - 1);
    expect(circuit.state).toBe("closed");
    await askInVain(circuit, 5, TIMEOUT_MS / 2);
    expect(circuit.state).toBe("open");
  });
});

/** Another chat each time, so that no two requests are one. */
async function timeOut(api: DisposableChatApi, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    expect((await errorOf(api.chat(TOKEN, `silent${count}`))).code).toBe("UPSTREAM_TIMEOUT");
  }
}

/** However many timeouts that takes: the time of a request may be over before it is sent, on a starved machine. */
async function openCircuit(api: DisposableChatApi): Promise<void> {
  await timeOut(api, 5);
  while (api.status.circuit !== "open") await errorOf(api.chat(TOKEN, "silent"));
}

test("what follows timeouts in succession fails at once, without a request", async () => {
  const { log, lines } = recordingLog();
  await using server = await startScriptedServer(silence);
  await using api = chatApiAt(server.url, { timeoutMs: 150, log });
  expect(api.status.circuit).toBe("closed");
  await openCircuit(api);
  // However slow this machine is, the time to try again has not come.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 60_000 });
  try {
    expect(api.status.circuit).toBe("open");
    const error = await errorOf(api.chat(TOKEN, "c1"));
    expect(error).toMatchObject({ code: "UPSTREAM_UNAVAILABLE", retryAfterMs: expect.any(Number) });
    expect(error.cause).toMatchObject({ message: expect.stringContaining("not sent") });
    expect(lines).toContainEqual(expect.objectContaining({ msg: expect.stringContaining("fail at once") }));
  } finally {
    vi.useRealTimers();
  }
});

test("one request is let through after a while, the others still fail at once, and its answer closes it", async () => {
  let isUp = false;
  await using server = await startScriptedServer((response, request) =>
    isUp ? json(200, { chat: CHAT })(response, request) : undefined,
  );
  await using api = chatApiAt(server.url, { timeoutMs: 150 });
  const askThree = async (): Promise<readonly string[]> => {
    const asked = ["a", "b", "c"].map((id) => api.chat(TOKEN, id));
    const outcomes = await Promise.all(
      asked.map((call) =>
        call.then(
          () => "answered",
          () => errorOf(call),
        ),
      ),
    );
    return outcomes.map((outcome) => (typeof outcome === "string" ? outcome : outcome.code));
  };
  await openCircuit(api);
  // Sooner or later the API is asked again, in vain.
  await expect.poll(askThree).toEqual(["UPSTREAM_TIMEOUT", "UPSTREAM_UNAVAILABLE", "UPSTREAM_UNAVAILABLE"]);
  expect(api.status.circuit).toBe("open");
  isUp = true;
  await expect.poll(askThree).toEqual(["answered", "UPSTREAM_UNAVAILABLE", "UPSTREAM_UNAVAILABLE"]);
  expect(api.status.circuit).toBe("closed");
});

test("what waited too long for a connection says nothing about the API", async () => {
  await using server = await startScriptedServer(silence);
  await using api = chatApiAt(server.url, { timeoutMs: 300, connections: 1 });
  // The first one holds the only connection until its time is over, and theirs with it.
  const codes = Array.from({ length: 9 }, async (_, index) => (await errorOf(api.chat(TOKEN, `c${index}`))).code);
  expect(new Set(await Promise.all(codes))).toEqual(new Set(["UPSTREAM_TIMEOUT"]));
  expect(api.status.circuit).toBe("closed");
});
