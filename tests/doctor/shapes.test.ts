/** The doctor at APIs of other shapes: what it finds, what it says that adapts it, and that it runs through adapters. */
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { ServerResponse, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { runDoctor, type Diagnosis } from "../../scripts/doctor/doctor.ts";
import { contract, documentStore, envelope, sql } from "../chat-api/shapes.ts";
import {
  inChat,
  startWorld,
  World,
  chatsOf,
  type Shape,
  type StoredChat,
  type StoredMessage,
} from "../chat-api/world.ts";
import { json } from "../support/scripted-server.ts";
import { lines } from "./support.ts";

const seconds = (date: Date): number => date.getTime() / 1000;

/** The contract's routes, but numbers for ids, envelopes, snake_case, people as objects and seconds since the epoch. */
const odd: Shape = (call) => {
  const { world, me, method, parts, query, body } = call;
  const [root, chatId, sub, messageId] = parts;
  const person = (id: string): object => ({ id: Number(id), name: world.person(id).name });
  const message = (stored: StoredMessage): object => ({
    id: Number(stored.id),
    chat_id: Number(stored.chatId),
    author: person(stored.senderId),
    text: stored.content,
    created_at: seconds(stored.createdAt),
    seen: [...stored.readBy].map(([user, at]) => ({ user, at: seconds(at) })),
  });
  const chat = (stored: StoredChat): object => ({
    _id: Number(stored.id),
    title: stored.title,
    users: stored.memberIds.map(person),
    unread: world.unread(stored, me.id),
    created_at: 1_767_225_600,
    updated_at: 1_767_225_600,
  });
  if (root === "auth") return json(200, { data: { ...person(me.id), email: "a@example.com" } });
  if (root !== "chats") return undefined;
  if (chatId === undefined) return json(200, { data: { chats: chatsOf(call).map(chat) } });
  return inChat(call, chatId, (stored) => {
    if (sub === undefined) return json(200, { data: { chat: chat(stored) } });
    if (method === "PUT") {
      for (const each of stored.messages) if (sub === "read-all" || each.id === messageId) world.read(each, me.id);
      return json(200, {});
    }
    if (method === "POST") {
      return json(201, { data: { message: message(world.addMessage(stored, me, String(body["content"]))) } });
    }
    const from = Number(query.get("nextToken") ?? 0);
    const nextToken = from + 20 < stored.messages.length ? String(from + 20) : null;
    return json(200, { data: { messages: stored.messages.slice(from, from + 20).map(message), nextToken } });
  });
};

function diagnoseAt(url: string, ...args: readonly string[]): Promise<Diagnosis> {
  return runDoctor(["--url", url, "--token", "token-of-ann", ...args]);
}

const example = (name: string): string => fileURLToPath(import.meta.resolve(`../../examples/adapters/${name}.ts`));

describe.each([
  ["document-store", documentStore],
  ["sql", sql],
  ["envelope", envelope],
] as const)("through the example %s", (name, shape) => {
  test("nothing is wrong, with everything that the API has", async () => {
    await using server = await startWorld(new World(), shape);
    const args = ["--adapter", example(name), "--write", "--other-token", "token-of-ben"];
    const diagnosis = await diagnoseAt(server.url, ...args);
    expect(lines(diagnosis, "✗")).toEqual([]);
    expect(diagnosis.exitCode).toBe(0);
    expect(diagnosis.output).toContain(`, through ${example(name)}\n`);
  });

  test("without it every list is looked at, and nothing is taken for right", async () => {
    await using server = await startWorld(new World(), shape);
    const diagnosis = await diagnoseAt(server.url);
    expect(diagnosis.exitCode).toBe(1);
    expect(diagnosis.output).toContain("✗ GET /chats: ");
  });
});

describe("an API of another shape", () => {
  test("is told where its chats are and what adapts each field", async () => {
    await using server = await startWorld(new World(), odd);
    const { output } = await diagnoseAt(server.url);
    for (const said of [
      "✗ GET /chats: chats is not there: what is in `data.chats` looks like it",
      'An adapter finds it: `helpers.unwrap(body, "chats")`.',
      "✗ GET /chats: data.chats[].id is missing",
      "There is `_id` instead. An adapter says `id: helpers.id(chat._id)`.",
      "An adapter says `...helpers.members(chat.users)`.",
      "An adapter says `createdAt: helpers.instant(chat.created_at)`.",
      "✗ GET /auth/profile: user is not there: what is in `data` looks like it",
      "✗ GET /chats/:chatId/messages: messages is not there: what is in `data.messages` looks like it",
      "An adapter says `...helpers.sender(message.author)`.",
      "An adapter says `content: message.text`.",
    ]) {
      expect(output).toContain(said);
    }
  });

  test("gets a draft with which the doctor is content", async () => {
    // Beside the sources, where the package's own name leads to it.
    await using directory = await mkdtempDisposable(join(import.meta.dirname, ".draft-"));
    const path = join(directory.path, "my-adapter.ts");
    await using server = await startWorld(new World(), odd);
    const first = await diagnoseAt(server.url, "--write-adapter", path);
    expect(first.output).toContain(`✓ adapter: a draft is in ${path}`);
    const draft = await readFile(path, "utf8");
    expect(draft).toContain("...helpers.readState(message.seen, helpers.id(message.author)),");
    expect(draft).not.toContain(": TODO");
    const through = await diagnoseAt(server.url, "--adapter", path);
    expect(lines(through, "✗")).toEqual([]);
    expect((await diagnoseAt(server.url, "--write-adapter", path)).output).toContain("no draft was written");
  });
});

test.each([
  ["null", { chats: null }, []],
  ["an error", { success: false, error: "no" }, ["There is `success`, `error` instead."]],
  ["records in envelopes of their own", { data: [{ node: { id: "c1" } }] }, ["There is `data` instead."]],
  ["edges", { chats: { edges: [{ node: { id: "c1" } }] } }, ["There is `edges` instead."]],
])("a list that is not found, %s, is not taken for one without chats", async (_what, body, said) => {
  await using server = await startWorld(new World(), contract);
  server.faults.push({ path: /^\/chats$/, answer: json(200, body) });
  const { output } = await diagnoseAt(server.url);
  for (const text of ["no chat was found in what GET /chats answers, for the reason above", ...said]) {
    expect(output).toContain(text);
  }
  expect(output).not.toContain("there is no chat in GET /chats");
});

test("an adapter that throws is named with its call", async () => {
  await using directory = await mkdtempDisposable(join(import.meta.dirname, ".draft-"));
  const path = join(directory.path, "my-adapter.ts");
  const source = (await readFile(example("sql"), "utf8")).replace("row.members", "row.members.none.such");
  await writeFile(path, source);
  await using server = await startWorld(new World(), sql);
  const diagnosis = await diagnoseAt(server.url, "--adapter", path);
  expect(lines(diagnosis, "✗")).toContainEqual(
    "✗ GET /chats: the adapter has no answer: TypeError: Cannot read properties of undefined (reading 'such')",
  );
});

test("an adapter that cannot be loaded is a wrong command line", async () => {
  const { exitCode, output } = await diagnoseAt("http://127.0.0.1:9", "--adapter", "./no-such-adapter.ts");
  expect([exitCode, output]).toEqual([2, expect.stringContaining("--adapter: ./no-such-adapter.ts cannot be loaded")]);
});

test("--json says the same for programs", async () => {
  await using server = await startWorld(new World(), contract);
  const { exitCode, output } = await diagnoseAt(server.url, "--json");
  const report = JSON.parse(output) as Record<string, unknown> & { verdicts: { verdict: string }[] };
  expect(report).toMatchObject({ url: server.url, passed: true, wrong: 0, written: [] });
  expect(report.verdicts.filter(({ verdict }) => verdict === "right")).toHaveLength(Number(report["right"]));
  expect(report.verdicts[0]).toEqual({
    verdict: "right",
    endpoint: "GET /auth/profile",
    what: "200 with userId, email and name",
  });
  expect(exitCode).toBe(0);
});

describe("what broke in the field", () => {
  test("read-all that marks one page alone", async () => {
    const world = new World();
    for (let n = 0; n < 655; n++) world.addMessage(world.shared, world.ben, `more ${n}`);
    await using server = await startWorld(world, contract);
    server.faults.push({
      path: /read-all$/,
      answer: (response) => {
        for (const message of world.shared.messages.slice(0, 100)) world.read(message, "1");
        response.writeHead(200).end();
      },
    });
    const diagnosis = await diagnoseAt(server.url, "--write");
    expect(lines(diagnosis, "✗")).toContainEqual(
      expect.stringMatching(
        /^✗ PUT \/chats\/:chatId\/read-all: of \d+ messages of others \d+ are still without readAt/,
      ),
    );
    expect(diagnosis.exitCode).toBe(1);
  });

  test("words in the answer to what is marked as read are right", async () => {
    await using server = await startWorld(new World(), (call) => {
      if (call.method !== "PUT") return contract(call);
      return async (response, request) => {
        // Marks it, and says so in words.
        await contract(call)?.(new ServerResponse(request), request);
        response.writeHead(200, { "content-type": "text/plain" }).end("OK");
      };
    });
    const diagnosis = await diagnoseAt(server.url, "--write");
    expect(lines(diagnosis, "✗").filter((line) => line.includes("not JSON"))).toEqual([]);
    expect(diagnosis.output).toContain(
      "✓ PUT /chats/:chatId/messages/:messageId/read: 2xx for somebody else's message",
    );
  });

  test("bytes that are not UTF-8 are named, unless their charset is", async () => {
    const body = Buffer.from(JSON.stringify({ user: { userId: "1", email: "", name: "Zoë" } }), "latin1");
    const diagnosisOf = async (type: string): Promise<readonly string[]> => {
      await using server = await startWorld(new World(), contract);
      const answer = (response: ServerResponse): void =>
        void response.writeHead(200, { "content-type": type }).end(body);
      server.faults.push({ path: /^\/auth\/profile$/, answer });
      return lines(await diagnoseAt(server.url), "✗").filter((line) => line.includes("UTF-8"));
    };
    expect(await diagnosisOf("application/json")).toEqual([
      "✗ GET /auth/profile: bytes that are not UTF-8, and no charset that says what they are",
    ]);
    expect(await diagnosisOf("application/json; charset=iso-8859-1")).toEqual([]);
  });

  test("pages that end early for more messages than the API ever answers at once", async () => {
    const world = new World();
    await using server = await startWorld(world, (call) => {
      const { parts, query } = call;
      if (parts[2] !== "messages") return contract(call);
      return inChat(call, parts[1], (chat) => {
        const asked = Number(query.get("limit"));
        const from = Number(query.get("nextToken") ?? 0);
        const messages = chat.messages.slice(from, from + Math.min(asked, 20)).map(({ senderId, ...rest }) => {
          return { ...rest, readBy: [], senderId, senderName: world.person(senderId).name };
        });
        return json(200, { messages, nextToken: messages.length < asked ? null : String(from + asked) });
      });
    });
    const diagnosis = await diagnoseAt(server.url);
    expect(lines(diagnosis, "✗")).toEqual([
      "✗ GET /chats/:chatId/messages: with limit=100: messages: 25 messages on no page, though smaller pages have them",
    ]);
  });

  test("pages in no order of time are right", async () => {
    const world = new World();
    world.shared.messages.sort((a, b) => a.content.localeCompare(b.content));
    await using server = await startWorld(world, contract);
    const diagnosis = await diagnoseAt(server.url);
    expect(lines(diagnosis, "✗")).toEqual([]);
    expect(diagnosis.output).toContain("✓ GET /chats/:chatId/messages: the messages of a page are in no order of time");
  });

  test("messages of one instant are told, and right", async () => {
    await using server = await startWorld(new World(), contract);
    const { output } = await diagnoseAt(server.url);
    expect(output).toContain("✓ GET /chats/:chatId/messages: 22 messages at the instant of another");
  });

  /** The contract's API with its answers changed. */
  function changed(path: RegExp, change: (body: Record<string, unknown>, world: World) => object): Shape {
    return (call) => {
      const answer = contract(call);
      if (!answer || call.method !== "GET" || !path.test(`/${call.parts.join("/")}`)) return answer;
      let text = "{}";
      const recorder = { writeHead: () => ({ end: (body: string) => (text = body) }) };
      void answer(recorder as unknown as ServerResponse, {} as IncomingMessage);
      return json(200, change(JSON.parse(text) as Record<string, unknown>, call.world));
    };
  }

  const chatsIn = (body: Record<string, unknown>): object[] => body["chats"] as object[];
  const copyOf = ({ readBy: _readBy, ...message }: StoredMessage): object => ({ ...message, senderName: "x" });

  test.each<readonly [string, RegExp, (body: Record<string, unknown>, world: World) => object, string]>([
    [
      "a last message that is not the newest",
      /^\/chats$/,
      (body, { shared }) => ({
        chats: chatsIn(body).map((chat) => ({ ...chat, lastMessage: copyOf(shared.messages[0] as StoredMessage) })),
      }),
      "✗ GET /chats: chats[].lastMessage is not the newest of the history",
    ],
    [
      "a last message that the history has not",
      /^\/chats$/,
      (body, { shared }) => ({
        chats: chatsIn(body).map((chat) => ({
          ...chat,
          lastMessage: { ...copyOf(shared.messages[0] as StoredMessage), id: "gone" },
        })),
      }),
      "✗ GET /chats: chats[].lastMessage is not in the history",
    ],
    [
      "a malformed chat beside a good one",
      /^\/chats$/,
      (body) => ({ chats: [{ id: "half", updatedAt: "2026-01-01T00:00:00Z" }, ...chatsIn(body)] }),
      "✗ GET /chats: chats[].participants is missing",
    ],
    [
      "a member removed from the record and still listed",
      /^\/chats\/\d+$/,
      (body) => ({ chat: { ...(body["chat"] as object), participants: ["2"], participantNames: ["Ben"] } }),
      "✗ GET /chats: 1 of 1 listed chat is refused, or without the user, when asked for",
    ],
  ])("%s is named", async (_what, path, change, line) => {
    await using server = await startWorld(new World(), changed(path, change));
    const diagnosis = await diagnoseAt(server.url, "--chat", "101");
    expect(lines(diagnosis, "✗")).toContainEqual(line);
    expect(lines(diagnosis, "✓").join("\n")).toContain("GET /chats/:chatId/messages: 200 with 45 messages");
  });

  test("a sender's name that is not the profile's is named", async () => {
    const shape: Shape = (call) =>
      call.parts[0] === "auth"
        ? json(200, { user: { userId: call.me.id, email: "a@b", name: "Another Name" } })
        : contract(call);
    await using server = await startWorld(new World(), shape);
    const diagnosis = await diagnoseAt(server.url, "--write");
    expect(lines(diagnosis, "✗")).toContainEqual(
      "✗ POST /chats/:chatId/messages: message.senderName is not the name of GET /auth/profile",
    );
  });
});
