/** Bodies of the contract with one field changed, made up by the thousand: nobody is locked out, and nothing is a defect of the gateway. */
import {
  anything,
  array,
  assert,
  asyncProperty,
  constantFrom,
  jsonValue,
  oneof,
  record,
  uuid,
  type Arbitrary,
} from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "../../src/errors.ts";
import { startGateway } from "../support/gateway.ts";
import { codesOf, postOperation } from "../support/http.ts";
import { restChatApi, TOKEN } from "../support/rest-chat-api.ts";
import { chatRecord, messageRecord, PROFILE, startSmallApi } from "../support/small-api.ts";

const BODIES = 1000;

/** What stands in the place of a field: undefined takes it away. */
const WRONG: Arbitrary<unknown> = oneof(
  {
    weight: 3,
    arbitrary: constantFrom<unknown>(undefined, null, "", 0, -1, true, [], {}, "x", [null], "2026-13-01", 1e20),
  },
  jsonValue({ maxDepth: 2 }),
);

const CHAT_FIELDS = [
  "id",
  "participants",
  "participantNames",
  "storeName",
  "lastMessage",
  "unreadCount",
  "createdAt",
  "updatedAt",
];
const MESSAGE_FIELDS = ["id", "chatId", "senderId", "senderName", "content", "createdAt", "readAt"];
const PROFILE_FIELDS = ["email", "name", "role"];

const mutation = record({
  where: oneof(
    record({ part: constantFrom("chat"), field: constantFrom(...CHAT_FIELDS) }),
    record({ part: constantFrom("lastMessage", "message"), field: constantFrom(...MESSAGE_FIELDS) }),
    record({ part: constantFrom("profile"), field: constantFrom(...PROFILE_FIELDS) }),
    record({ part: constantFrom("record"), field: constantFrom("") }),
  ),
  value: WRONG,
  token: uuid(),
});

const QUERY = `{
  me { id name email role }
  chats { id title participants { id name } unreadCount createdAt updatedAt
    lastMessage { id sender { id name } content createdAt readAt cursor }
    messages(last: 10) { nodes { id sender { id name } content createdAt readAt cursor } pageInfo { endCursor } } }
}`;

function changed(body: Record<string, unknown>, applies: boolean, field: string, value: unknown): unknown {
  return applies ? { ...body, [field]: value } : body;
}

test("a thousand of them leave every other record readable", async () => {
  await using api = await startSmallApi({});
  await using gateway = await startGateway({ HTTP_API_URL: api.url, RATE_LIMIT_OPERATIONS: "1000000/1s" });
  await assert(
    asyncProperty(mutation, async ({ where: { part, field }, value, token }) => {
      const lastMessage = changed(messageRecord("m1", "c1"), part === "lastMessage", field, value);
      const c1 = changed(chatRecord("c1", { lastMessage }), part === "chat", field, value);
      const m1 = changed(messageRecord("m1", "c2"), part === "message", field, value);
      api.data.profile = changed(PROFILE, part === "profile", field, value);
      api.data.chats = [part === "record" ? value : c1, chatRecord("c2")];
      const messages = [part === "record" ? value : m1, messageRecord("m2", "c2")];
      api.data.messages = { c2: { messages } };
      const result = await postOperation(gateway.url, { query: QUERY }, token);
      expect(codesOf(result.errors)).toEqual([]);
      const chats = result.data?.["chats"] as { id: string; messages: { nodes: { id: string }[] } }[];
      const untouched = chats.find(({ id }) => id === "c2");
      expect(untouched?.messages.nodes.map(({ id }) => id)).toContain("m2");
    }),
    { numRuns: BODIES },
  );
  expect(gateway.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

/** As JSON, where it can be. */
function textOf(given: unknown): string {
  try {
    return JSON.stringify([given]).slice(1, -1);
  } catch {
    return "null";
  }
}

describe("an answer that is anything at all", () => {
  test("is read or UPSTREAM_UNAVAILABLE, for every call", async () => {
    let answer = "";
    await using server = await startSmallApi({
      answer: () => (response) => {
        response.writeHead(200, { "content-type": "application/json" }).end(answer);
      },
    });
    const api = restChatApi(server.url, { attempts: 1 });
    const calls = [
      () => api.profile(TOKEN),
      () => api.chats(TOKEN),
      () => api.chat(TOKEN, "c1"),
      () => api.messages(TOKEN, "c1", 20),
      () => api.sendMessage(TOKEN, "c1", "x", "key"),
      () => api.markRead(TOKEN, "c1", "m1"),
    ];
    const body = oneof(
      jsonValue(),
      record({ chats: anything(), messages: anything(), user: anything(), chat: anything() }),
      record({ chats: array(jsonValue()), messages: array(jsonValue()), nextToken: jsonValue() }),
    );
    await assert(
      asyncProperty(body, async (given) => {
        answer = textOf(given);
        const settled = await Promise.allSettled(calls.map((call) => call()));
        const reasons = settled.flatMap((outcome) =>
          outcome.status === "rejected" ? [outcome.reason as unknown] : [],
        );
        expect(reasons.filter((reason) => !hasCode(reason, "UPSTREAM_UNAVAILABLE"))).toEqual([]);
      }),
      { numRuns: 300 },
    );
    await api.close();
  });
});
