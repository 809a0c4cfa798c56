import { describe, expect, test } from "vitest";
import { DEMO_CHATS } from "../../src/dev/seed.ts";
import { diagnose, lines, startApi } from "./support.ts";

describe.each(["nextToken", "lastEvaluatedKey"] as const)("An API with the paging %s", (paging) => {
  test.each([
    [false, "limit is honoured"],
    [true, "limit is ignored, which is as good"],
  ])("passes, whether it ignores the limit (%s)", async (ignoreLimit, limit) => {
    await using api = await startApi({ paging, ignoreLimit });
    const [alice] = api.users;
    for (let count = 0; count < 60; count++) {
      api.data.addMessage({ chatId: DEMO_CHATS.shop, senderId: alice?.id ?? "", content: `Message ${count}` });
    }
    const diagnosis = await diagnose(api);
    expect(lines(diagnosis, "✗")).toEqual([]);
    expect(lines(diagnosis, "✓")).toContain(`✓ GET /chats/:chatId/messages: ${limit}`);
    expect(lines(diagnosis, "✓")).toContainEqual(expect.stringContaining(`messages: paging: ${paging}, `));
    expect(diagnosis.exitCode).toBe(0);
  });

  test("passes with everything checked", async () => {
    await using api = await startApi({ paging });
    const diagnosis = await diagnose(api, "--write", "--idempotent", "--other-token", "carol-token");
    expect([...lines(diagnosis, "✗"), ...lines(diagnosis, "–")]).toEqual([]);
    expect(diagnosis.exitCode).toBe(0);
  });
});

test("Without --write nothing but GET is asked, and nothing changes", async () => {
  await using api = await startApi();
  const before = api.data.messages(DEMO_CHATS.shop);
  const diagnosis = await diagnose(api, "--other-token", "carol-token");
  expect(api.faults.requests.count({ method: "GET" })).toBe(api.faults.requests.count());
  expect(api.data.messages(DEMO_CHATS.shop)).toEqual(before);
  expect(lines(diagnosis, "–").map((line) => line.split(": ")[0])).toEqual([
    "– POST /chats/:chatId/messages",
    "– PUT /chats/:chatId/messages/:messageId/read",
    "– PUT /chats/:chatId/read-all",
  ]);
  expect(diagnosis.output).toContain("\nWritten: nothing.\n");
});

test("With --write it writes to the named chat alone, once, and says so", async () => {
  await using api = await startApi();
  const [shop, team] = [DEMO_CHATS.shop, DEMO_CHATS.team].map((chatId) => api.data.messages(chatId).length);
  const { output, exitCode } = await diagnose(api, "--write", "--chat", DEMO_CHATS.team);
  const counts = [DEMO_CHATS.shop, DEMO_CHATS.team].map((chatId) => api.data.messages(chatId).length);
  expect(counts).toEqual([shop, (team ?? 0) + 1]);
  expect(output).toMatch(new RegExp(`\nWritten: a message to the chat ${DEMO_CHATS.team}; .* everything in the chat`));
  expect(exitCode).toBe(0);
});

test("What may have been written, since its answer was lost, is said to be so", async () => {
  await using api = await startApi();
  api.faults.loseResponse({ method: "POST", times: 1 });
  const { output } = await diagnose(api, "--write");
  expect(output).toContain(`\nWritten: perhaps a message to the chat ${DEMO_CHATS.shop}; `);
});

test("What cannot be checked is said to be so, and is no fault", async () => {
  await using api = await startApi();
  const loner = api.data.createUser({ name: "Dora Dean" });
  const alone = await diagnose(api, "--token", loner.token);
  expect(lines(alone, "–")).toHaveLength(5);
  expect(lines(alone, "–")[0]).toContain("there is no chat in GET /chats");
  const { id } = api.data.createChat({ participants: [loner.id] });
  const quiet = await diagnose(api, "--token", loner.token, "--write", "--other-token", loner.token);
  expect(lines(quiet, "–")).toEqual([
    expect.stringContaining("the paging: the chat has fewer than three messages"),
    expect.stringContaining("the user of --other-token is in every chat"),
    expect.stringContaining("nobody else has written in this chat"),
  ]);
  expect(quiet.output).toContain(`a message to the chat ${id}`);
  expect([alone.exitCode, quiet.exitCode]).toEqual([0, 0]);
});
