import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Diagnosis } from "../../scripts/doctor/doctor.ts";
import type { DevApi } from "../../src/dev/api.ts";
import type { Aim, Reply } from "../../src/dev/faults.ts";
import { DEMO_CHATS } from "../../src/dev/seed.ts";
import type { WireMessage } from "../../src/upstream/wire.ts";
import { accused, aimAt, changeBody, diagnose, ENDPOINTS, lines, startApi } from "./support.ts";

/** The fields of each answer; those with a question mark may be absent. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  "GET /auth/profile": ["user", "user.userId", "user.email", "user.name", "user.role?"],
  "GET /chats": [
    "chats",
    ...["id", "participants", "participantNames", "unreadCount", "createdAt", "updatedAt", "storeName?"].map(
      (name) => `chats[].${name}`,
    ),
  ],
  "GET /chats/:chatId": [
    "chat",
    ...["id", "participants", "participantNames", "createdAt", "updatedAt", "storeName?", "unreadCount?"].map(
      (name) => `chat.${name}`,
    ),
  ],
  "GET /chats/:chatId/messages": [
    "messages",
    ...["id", "chatId", "senderId", "senderName", "content", "createdAt", "readAt?"].map(
      (name) => `messages[].${name}`,
    ),
    "nextToken?",
    "lastEvaluatedKey?",
  ],
  "POST /chats/:chatId/messages": [
    "message",
    ...["id", "chatId", "senderId", "senderName", "content", "createdAt", "readAt?"].map((name) => `message.${name}`),
  ],
  "PUT /chats/:chatId/messages/:messageId/read": ["readAt?"],
};

const rows = Object.entries(FIELDS).flatMap(([endpoint, fields]) =>
  fields.map((field) => ({ endpoint, field: field.replace("?", ""), optional: field.endsWith("?") })),
);

/** Sets a field wherever it is, or takes it away. */
function spoil(value: unknown, [name = "", ...rest]: readonly string[], spoilt: unknown): void {
  const holder = value as Record<string, unknown>;
  const key = name.replace("[]", "");
  if (rest.length === 0) holder[key] = spoilt;
  else for (const inner of [holder[key]].flat()) spoil(inner, rest, spoilt);
}

async function diagnoseSpoilt(endpoint: string, field: string, spoilt: unknown) {
  await using api = await startApi();
  const change = changeBody((body) => {
    spoil(body, field.split("."), spoilt);
    return body;
  });
  api.faults.change(change, aimAt(endpoint));
  return await diagnose(api, "--write");
}

describe("A field", () => {
  test.each(rows.filter(({ optional }) => !optional))("that is missing: $field of $endpoint", async (row) => {
    const diagnosis = await diagnoseSpoilt(row.endpoint, row.field, undefined);
    expect(lines(diagnosis, "✗")).toContainEqual(expect.stringContaining(`✗ ${row.endpoint}: ${row.field} is missing`));
    expect(accused(diagnosis)).toEqual([row.endpoint]);
    expect(diagnosis.exitCode).toBe(1);
  });

  test.each(rows)("of another type: $field of $endpoint", async ({ endpoint, field }) => {
    const diagnosis = await diagnoseSpoilt(endpoint, field, true);
    expect(lines(diagnosis, "✗")).toContainEqual(expect.stringContaining(`✗ ${endpoint}: ${field}: expected `));
    expect(accused(diagnosis)).toEqual([endpoint]);
    expect(diagnosis.exitCode).toBe(1);
  });

  test.each(rows.filter(({ field }) => field.endsWith("At")))(
    "that is an instant without its zone: $field of $endpoint",
    async ({ endpoint, field }) => {
      const diagnosis = await diagnoseSpoilt(endpoint, field, "2026-01-31T09:30:00");
      expect(lines(diagnosis, "✗")).toContainEqual(
        expect.stringContaining(`✗ ${endpoint}: ${field}: expected an ISO 8601 instant with its time zone`),
      );
      expect(accused(diagnosis)).toEqual([endpoint]);
    },
  );

  test("that is wrong in every chat of many is one line with their number", async () => {
    await using api = await startApi();
    for (let count = 0; count < 30; count++) {
      api.data.createChat({ participants: api.users.map(({ id }) => id) });
    }
    api.faults.change(
      changeBody(({ chats }) => ({ chats: (chats as object[]).map((chat) => ({ ...chat, unreadCount: null })) })),
      aimAt("GET /chats"),
    );
    expect(lines(await diagnose(api), "✗")).toEqual([
      "✗ GET /chats: chats[].unreadCount: expected number, received null (32 times)",
    ]);
  });
});

type Fault = (api: DevApi, aim: Aim) => void;

/** Whatever is asked there. */
const ANSWERS: readonly (readonly [name: string, said: RegExp, fault: Fault])[] = [
  ["a proxy's page", /^\S+ that is not JSON/, (api, aim) => api.faults.html(aim)],
  [
    "a redirect",
    /^redirected with 302 to http:\/\/127\.0\.0\.1:9\/login$/,
    (api, aim) => api.faults.redirect("http://127.0.0.1:9/login?next=1", aim),
  ],
  ["an answer that is too large", /^the answer is over 5 MB/, (api, aim) => api.faults.oversized(5_000_001, aim)],
  ["500", /^answered 500/, (api, aim) => api.faults.answer({ status: 500, body: { error: "no" } }, aim)],
  ["429", /^answered 429/, (api, aim) => api.faults.rateLimited(1, aim)],
  ["404", /^answered 404/, (api, aim) => api.faults.answer({ status: 404, body: { error: "no" } }, aim)],
  ["no answer at all", /^the connection was lost/, (api, aim) => api.faults.loseResponse(aim)],
  ["half an answer", /^the connection was lost/, (api, aim) => api.faults.reset(aim)],
  [
    "a compressed answer that nobody asked for",
    /^content-encoding/,
    (api, aim) => api.faults.change((due) => ({ ...due, headers: { "content-encoding": "gzip" } }), aim),
  ],
  [
    "JSON that is called text",
    /^content-type is text\/plain/,
    (api, aim) => api.faults.change((due) => ({ ...due, headers: { "content-type": "text/plain" } }), aim),
  ],
];

const answers = ANSWERS.map(([name, said, fault]) => ({ name, said, fault }));

describe.each(ENDPOINTS)("%s", (endpoint) => {
  test.each(answers)("$name is named", async ({ said, fault }) => {
    await using api = await startApi();
    fault(api, aimAt(endpoint));
    const diagnosis = await diagnose(api, "--write");
    const prefix = `✗ ${endpoint}: `;
    const own = lines(diagnosis, "✗").filter((line) => line.startsWith(prefix));
    expect(own.map((line) => line.slice(prefix.length))).toContainEqual(expect.stringMatching(said));
    expect(diagnosis.exitCode).toBe(1);
  });
});

test.each(["Identity", "utf-8"])("a content-encoding that is none, %s, is no fault", async (coding) => {
  await using api = await startApi();
  api.faults.change((due) => ({ ...due, headers: { "content-encoding": coding } }), { path: /./ });
  expect(lines(await diagnose(api), "✗")).toEqual([]);
});

test("an answer that does not end is named, whichever it is", async () => {
  // All at once: each of them takes its time, which answers that end may take as well.
  const diagnoseAt = async (endpoint: string): Promise<readonly [string, Diagnosis]> => {
    await using api = await startApi();
    api.faults.stall({ ...aimAt(endpoint), token: "alice-token", times: 3 });
    return [endpoint, await diagnose(api, "--write", "--timeout", "4000")];
  };
  for (const [endpoint, diagnosis] of await Promise.all(ENDPOINTS.map(diagnoseAt))) {
    expect(lines(diagnosis, "✗")).toContainEqual(expect.stringContaining(`✗ ${endpoint}: no answer within`));
    expect(diagnosis.exitCode).toBe(1);
  }
});

test("an endpoint that is slow is named with the variable to set", async () => {
  const diagnoseAt = async (endpoint: string): Promise<readonly [string, Diagnosis]> => {
    await using api = await startApi();
    api.faults.delay(1600, { ...aimAt(endpoint), token: "alice-token" });
    return [endpoint, await diagnose(api, "--timeout", "3000")];
  };
  const endpoints = ["GET /auth/profile", "GET /chats", "GET /chats/:chatId/messages"];
  for (const [endpoint, diagnosis] of await Promise.all(endpoints.map(diagnoseAt))) {
    expect(lines(diagnosis, "✗")).toContainEqual(expect.stringMatching(`^✗ ${endpoint}: (slow|no answer)`));
    expect(diagnosis.output).toContain("raise HTTP_API_TIMEOUT");
    expect(diagnosis.exitCode).toBe(1);
  }
});

test.each(["GET /auth/profile", "GET /chats", "GET /chats/:chatId/messages"])(
  "%s whose connections are not kept is named",
  async (endpoint) => {
    await using api = await startApi();
    api.faults.change((due) => ({ ...due, headers: { connection: "close" } }), aimAt(endpoint));
    const diagnosis = await diagnose(api);
    expect(lines(diagnosis, "✗")).toEqual([expect.stringContaining(`✗ ${endpoint}: keep-alive: 5 requests opened `)]);
    expect(diagnosis.exitCode).toBe(1);
  },
);

const CHAT_ID = DEMO_CHATS.shop;
const HISTORY = aimAt("GET /chats/:chatId/messages");
const whenStatus = (status: number, reply: Reply) => (due: Reply) => (due.status === status ? reply : due);
const messagesOf = (body: Record<string, unknown>) => body["messages"] as WireMessage[];

/** The rest: what the doctor is to say, and who broke what. */
const SCENARIOS: readonly (readonly [line: string, fault: (api: DevApi) => void, args?: readonly string[]])[] = [
  ...["/auth/profile", "/chats", `/chats/${CHAT_ID}`, `/chats/${CHAT_ID}/messages`].flatMap((path) => {
    const endpoint = `GET ${path.replace(CHAT_ID, ":chatId")}`;
    return ["without a token", "with a made-up token"].flatMap((whose) => [
      [
        `${endpoint}: ${whose}: answered 200 instead of 401`,
        (api: DevApi) => api.faults.change(whenStatus(401, { body: { error: "no" } }), { path }),
      ] as const,
      [
        `${endpoint}: ${whose}: answered 403 instead of 401`,
        (api: DevApi) => api.faults.change(whenStatus(401, { status: 403, body: { error: "no" } }), { path }),
      ] as const,
      [
        `${endpoint}: ${whose}: the body of its 401 is neither`,
        (api: DevApi) => api.faults.change(whenStatus(401, { status: 401, body: "Unauthorized" }), { path }),
      ] as const,
    ]);
  }),
  ...(["", "/messages"] as const).map(
    (path) =>
      [
        `GET /chats/:chatId${path}: for an unknown chat: answered 500 instead of 404`,
        (api: DevApi) => api.faults.change(whenStatus(404, { status: 500, body: { error: "no" } })),
      ] as const,
  ),
  ...[
    "is ../auth/profile",
    "ends in /messages",
    "ends in /../",
    "ends in ?limit=1",
    "has %, # and letters beyond ASCII",
  ].map(
    (id) =>
      [
        `GET /chats/:chatId: for a chat whose id ${id}, escaped: answered 200 instead of 404 or 400 or 403`,
        (api: DevApi) => api.faults.change(whenStatus(404, { body: { chat: {} } }), { path: /%/ }),
      ] as const,
  ),
  [
    "GET /chats: chats[].participantNames has another length than participants",
    (api) =>
      api.faults.change(
        changeBody(({ chats }) => ({
          chats: (chats as { participantNames: string[] }[]).map((chat) => ({ ...chat, participantNames: ["Alice"] })),
        })),
        aimAt("GET /chats"),
      ),
  ],
  [
    "GET /chats: chats[].participants lacks the user's own userId",
    (api) =>
      api.faults.change(
        changeBody(({ user }) => ({ user: { ...(user as object), userId: "u-1" } })),
        aimAt("GET /auth/profile"),
      ),
  ],
  [
    "GET /chats: chats[].participants has somebody twice",
    (api) =>
      api.faults.change(
        changeBody(({ chats }) => ({
          chats: (chats as { participants: string[] }[]).map((chat) => ({
            ...chat,
            participants: [...chat.participants, ...chat.participants],
          })),
        })),
        aimAt("GET /chats"),
      ),
  ],
  [
    "GET /chats: chats[].id: the same chat is listed twice",
    (api) =>
      api.faults.change(
        changeBody(({ chats }) => ({ chats: [...(chats as object[]), ...(chats as object[])] })),
        aimAt("GET /chats"),
      ),
  ],
  [
    "GET /chats/:chatId: chat.id is not the id that was asked for",
    (api) =>
      api.faults.change(
        changeBody(({ chat }) => ({ chat: { ...(chat as object), id: CHAT_ID.toUpperCase() } })),
        aimAt("GET /chats/:chatId"),
      ),
  ],
  [
    "GET /chats/:chatId/messages: messages[].chatId is not the chat that was asked for",
    (api) =>
      api.faults.change(
        changeBody((body) => ({ messages: messagesOf(body).map((message) => ({ ...message, chatId: "c-1" })) })),
        HISTORY,
      ),
  ],
  [
    "GET /chats/:chatId/messages: nextToken names a page that has been before",
    (api) =>
      api.faults.change(
        changeBody((body) => ({ ...body, nextToken: "again" })),
        HISTORY,
      ),
  ],
  [
    "GET /chats/:chatId/messages: lastEvaluatedKey names a page that has been before",
    (api) => {
      api.settings.paging = "lastEvaluatedKey";
      api.faults.change(
        changeBody((body) => ({
          ...body,
          lastEvaluatedKey: { chatId: CHAT_ID, id: messagesOf(body)[0]?.id ?? "m-1" },
        })),
        { path: new RegExp(`/${CHAT_ID}/messages`), method: "GET" },
      );
    },
  ],
  [
    "GET /chats/:chatId/messages: with limit=2: messages[].id: ",
    (api) => {
      const [first] = api.data.messages(CHAT_ID);
      api.faults.change(
        changeBody((body) => {
          const others = messagesOf(body).filter(({ id }) => id !== first?.id);
          return { ...body, messages: [first, ...others] };
        }),
        HISTORY,
      );
    },
  ],
  [
    "GET /chats/:chatId/messages: with limit=2: messages: 5 of them are on no page",
    (api) =>
      api.faults.change(
        changeBody(({ messages }) => ({ messages })),
        HISTORY,
      ),
  ],
  [
    "GET /chats/:chatId: for somebody who is not in the chat: answered 200 instead of 403 or 404",
    (api) => api.faults.change(whenStatus(403, { body: { chat: {} } }), { path: `/chats/${CHAT_ID}` }),
    ["--other-token", "carol-token"],
  ],
  [
    "GET /chats/:chatId/messages: for somebody who is not in the chat: answered 500 instead of 403 or 404",
    (api) => api.faults.change(whenStatus(403, { status: 500, body: { error: "no" } })),
    ["--other-token", "carol-token"],
  ],
  [
    "GET /auth/profile: with --other-token: answered 401 instead of 200",
    (api) => void api.data.revokeToken("carol-token"),
    ["--other-token", "carol-token"],
  ],
  [
    "POST /chats/:chatId/messages: for somebody who is not in the chat: answered 201 instead of 403 or 404",
    (api) => api.faults.change(whenStatus(403, { status: 201, body: {} }), { method: "POST" }),
    ["--write", "--other-token", "carol-token"],
  ],
  [
    "POST /chats/:chatId/messages: answered 200 instead of 201",
    (api) => api.faults.change((due) => (due.status === 201 ? { ...due, status: 200 } : due), { method: "POST" }),
    ["--write"],
  ],
  [
    "POST /chats/:chatId/messages: for blank content: answered 201 instead of 400",
    (api) => api.faults.change(whenStatus(400, { status: 201, body: {} }), { method: "POST" }),
    ["--write"],
  ],
  [
    "POST /chats/:chatId/messages: for blank content: the body of its 400 is neither",
    (api) => api.faults.change(whenStatus(400, { status: 400, body: { errors: ["no"] } }), { method: "POST" }),
    ["--write"],
  ],
  [
    "POST /chats/:chatId/messages: message.content is not what was sent, trimmed",
    (api) =>
      api.faults.change(
        changeBody(({ message }) => {
          const sent = message as WireMessage;
          return { message: { ...sent, content: ` ${sent.content}` } };
        }),
        { method: "POST" },
      ),
    ["--write"],
  ],
  ...(["chatId", "senderId"] as const).map(
    (field) =>
      [
        `POST /chats/:chatId/messages: message.${field} is not `,
        (api: DevApi) =>
          api.faults.change(
            changeBody(({ message }) => ({ message: { ...(message as WireMessage), [field]: "x-1" } })),
            { method: "POST" },
          ),
        ["--write"],
      ] as const,
  ),
  [
    "GET /chats/:chatId/messages: the message.id that POST answered is not in the history",
    (api) =>
      api.faults.change(
        changeBody(({ message }) => ({ message: { ...(message as WireMessage), id: randomUUID() } })),
        { method: "POST" },
      ),
    ["--write"],
  ],
  ["POST /chats/:chatId/messages: Idempotency-Key is not honoured", storeAgain, ["--write", "--idempotent"]],
  [
    "PUT /chats/:chatId/messages/:messageId/read: for one's own message: answered 200 instead of 400",
    (api) => api.faults.change(whenStatus(400, { body: { message: "read" } }), { method: "PUT" }),
    ["--write"],
  ],
  [
    "PUT /chats/:chatId/messages/:messageId/read: for an unknown message: answered 200 instead of 404",
    (api) => api.faults.change(whenStatus(404, { body: { message: "read" } }), { method: "PUT" }),
    ["--write"],
  ],
  [
    "PUT /chats/:chatId/read-all: chats[].unreadCount of GET /chats is 2 afterwards",
    (api) =>
      api.faults.change(
        changeBody(({ chats }) => ({ chats: (chats as object[]).map((chat) => ({ ...chat, unreadCount: 2 })) })),
        aimAt("GET /chats"),
      ),
    ["--write"],
  ],
];

/** Every POST after the first answers with another message, which is stored too. */
function storeAgain(api: DevApi): void {
  let isFirst = true;
  api.faults.change(
    changeBody((body) => {
      if (isFirst) {
        isFirst = false;
        return body;
      }
      const { chatId, senderId, content } = body["message"] as WireMessage;
      return { message: api.data.addMessage({ chatId, senderId, content }) };
    }),
    { method: "POST" },
  );
}

const scenarios = SCENARIOS.map(([line, fault, args = []]) => ({ line, fault, args }));

test.each(scenarios)("✗ $line", async ({ line, fault, args }) => {
  await using api = await startApi();
  fault(api);
  const diagnosis = await diagnose(api, ...args);
  expect(lines(diagnosis, "✗")).toContainEqual(expect.stringContaining(`✗ ${line}`));
  expect(diagnosis.exitCode).toBe(1);
});

test("an API that answers the first message again, but stores another, does not honour Idempotency-Key", async () => {
  await using api = await startApi();
  let first: WireMessage | undefined;
  api.faults.change(
    changeBody((body) => {
      const { chatId, senderId, content, ...rest } = body["message"] as WireMessage;
      if (first) api.data.addMessage({ chatId, senderId, content });
      first ??= { chatId, senderId, content, ...rest };
      return { message: first };
    }),
    { method: "POST" },
  );
  const diagnosis = await diagnose(api, "--write", "--idempotent");
  expect(lines(diagnosis, "✗")).toEqual([
    "✗ POST /chats/:chatId/messages: Idempotency-Key is not honoured: the second POST with one key stored the message again",
  ]);
  expect(diagnosis.exitCode).toBe(1);
});

test("an API that answers 200 and does not mark the message is named", async () => {
  await using api = await startApi();
  api.faults.answer({ status: 200, body: { message: "read" } }, { method: "PUT", path: /\/messages\/[^/]+\/read$/ });
  const diagnosis = await diagnose(api, "--write");
  expect(lines(diagnosis, "✗")).toContain(
    "✗ PUT /chats/:chatId/messages/:messageId/read: the message has no readAt in the history afterwards",
  );
});

test("an Idempotency-Key that is not honoured is no fault where the gateway is not to rely on it", async () => {
  await using api = await startApi();
  storeAgain(api);
  const diagnosis = await diagnose(api, "--write");
  expect(lines(diagnosis, "✓")).toContainEqual(expect.stringContaining("leave HTTP_API_IDEMPOTENT=false"));
  expect(diagnosis.output).toContain("the same message once more");
  expect(diagnosis.exitCode).toBe(0);
});

test("an API that cannot be reached, or that refuses the token, is one line", async () => {
  const api = await startApi();
  const refused = await diagnose(api, "--token", "none");
  await api.close();
  const gone = await diagnose(api);
  expect([lines(refused, "✗"), lines(gone, "✗")]).toEqual([
    ["✗ GET /auth/profile: answered 401 to the given token"],
    ["✗ GET /auth/profile: could not connect (ECONNREFUSED)"],
  ]);
  expect([refused.exitCode, gone.exitCode]).toEqual([1, 1]);
});
