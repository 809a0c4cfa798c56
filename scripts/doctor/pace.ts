/** Checks of how fast the API answers, and whether it keeps its connections. */
import { CHATS, MESSAGES, PROFILE, type Examination } from "./examination.ts";
import type { Endpoint } from "./probe.ts";
import type { Problem } from "./report.ts";

const REQUESTS = 5;

/** Times what every client that connects has the gateway ask. */
export async function checkPace(examination: Examination, chatId: string | undefined): Promise<void> {
  await checkEndpoint(examination, PROFILE, {});
  await checkEndpoint(examination, CHATS, {});
  if (chatId !== undefined) await checkEndpoint(examination, MESSAGES, { ids: { chatId }, query: { limit: "100" } });
}

async function checkEndpoint(
  examination: Examination,
  endpoint: Endpoint,
  question: { ids?: Readonly<Record<string, string>>; query?: Readonly<Record<string, string>> },
): Promise<void> {
  const connections = examination.connections;
  const times: number[] = [];
  for (let count = 0; count < REQUESTS; count++) {
    const outcome = await examination.ask(endpoint, question);
    if (outcome.kind === "answered" || outcome.kind === "timed-out") times.push(outcome.ms);
  }
  if (times.length < REQUESTS) {
    examination.unchecked(endpoint, `the time of an answer: of ${REQUESTS} requests ${times.length} were answered.`);
    return;
  }
  const opened = examination.connections - connections;
  const sorted = times.map((ms) => Math.round(ms)).toSorted((a, b) => a - b);
  const [median = 0, max = 0] = [sorted[Math.floor(REQUESTS / 2)], sorted.at(-1)];
  const what = `p50 ${median} ms, max ${max} ms of ${REQUESTS} requests, connections kept`;
  examination.check(endpoint, what, [
    ...timeProblems(max, examination.options.timeoutMs),
    // One may have been closed before, and one in between, for reasons of its own.
    ...(opened >= REQUESTS - 1 ? [notKept(opened)] : []),
  ]);
}

function timeProblems(maxMs: number, timeoutMs: number): readonly Problem[] {
  if (maxMs <= timeoutMs / 2) return [];
  return [
    {
      what: `slow: an answer took ${maxMs} ms, with HTTP_API_TIMEOUT at ${timeoutMs}`,
      advice:
        "Make it faster or raise HTTP_API_TIMEOUT: under load it would pass it, and clients get UPSTREAM_TIMEOUT.",
    },
  ];
}

function notKept(opened: number): Problem {
  return {
    what: `keep-alive: ${REQUESTS} requests opened ${opened} connections`,
    advice: "Keep connections open between requests: each one more costs the gateway's clients a handshake.",
  };
}
