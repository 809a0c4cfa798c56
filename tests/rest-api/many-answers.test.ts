/** Answers of the REST API that arrive in one turn of the event loop. */
import { expect, test } from "vitest";
import { LoopTurns } from "../support/loop-turns.ts";
import { CHAT, chatApiAt } from "../support/rest-chat-api.ts";
import { json, startScriptedServer } from "../support/scripted-server.ts";

const REQUESTS = 60;

/** What follows from an answer takes so long. */
const WORK_MS = 2;

test("what follows from answers that arrive together is spread over several turns", async () => {
  const arrived = Promise.withResolvers<void>();
  let count = 0;
  await using server = await startScriptedServer(async (response, request) => {
    if (++count === REQUESTS) arrived.resolve();
    await arrived.promise;
    await json(200, { chats: [CHAT] })(response, request);
  });
  await using api = chatApiAt(server.url);
  using turns = new LoopTurns();
  const workedIn = new Set<number>();
  const calls = Array.from({ length: REQUESTS }, async (_, index) => {
    const chats = await api.chats(`token-${index}`);
    const until = performance.now() + WORK_MS;
    while (performance.now() < until);
    workedIn.add(turns.count);
    return chats.length;
  });
  expect(await Promise.all(calls)).toEqual(calls.map(() => 1));
  expect(workedIn.size).toBeGreaterThan(5);
});
