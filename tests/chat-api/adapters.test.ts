/** Adapters in a gateway: where they come from, what they lack, and what becomes of their faults. */
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import documentStoreAdapter from "../../examples/adapters/document-store.ts";
import envelopeAdapter from "../../examples/adapters/envelope.ts";
import sqlAdapter from "../../examples/adapters/sql.ts";
import { defineAdapter, type AdapterApi, type ApiPage } from "../../src/upstream/adapter/adapter.ts";
import { loadAdapter } from "../../src/upstream/adapter/load.ts";
import type { MessagePage } from "../../src/upstream/chat-api.ts";
import { connect } from "../support/client.ts";
import { errorIn } from "../support/errors.ts";
import { runProcess, temporaryDirectory } from "../support/gateway-program.ts";
import { startGateway } from "../support/gateway.ts";
import { postOperation } from "../support/http.ts";
import {
  ChatsDocument,
  MarkChatReadDocument,
  MessageAddedDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { adaptedChatApi, errorOf, TOKEN } from "../support/rest-chat-api.ts";
import { raw, startScriptedServer } from "../support/scripted-server.ts";
import { documentStore, envelope, sql } from "./shapes.ts";
import { startWorld, World } from "./world.ts";

const HISTORY: TypedDocumentNode<{ chat: { messages: { nodes: { content: string }[] } } }, { id: string }> = parse(
  "query ($id: ID!) { chat(id: $id) { title unreadCount messages(last: 100) { nodes { content readAt } } } }",
);

describe.each([
  ["document-store", documentStore, documentStoreAdapter],
  ["sql", sql, sqlAdapter],
  ["envelope", envelope, envelopeAdapter],
] as const)("with the example %s", (_name, shape, adapter) => {
  test("a client reads, sends and receives", async () => {
    const world = new World();
    await using server = await startWorld(world, shape);
    await using gateway = await startGateway({ HTTP_API_URL: server.url }, { api: adapter });
    await using ann = connect(gateway.wsUrl, world.ann.token);
    await using ben = connect(gateway.wsUrl, world.ben.token);
    await using received = ann.subscribe(MessageAddedDocument);
    expect((await ann.run(ChatsDocument)).chats).toMatchObject([
      { id: world.shared.id, title: "Shared", unreadCount: 30 },
    ]);
    const { chat } = await ann.run(HISTORY, { id: world.shared.id });
    expect(chat.messages.nodes.map(({ content }) => content)).toEqual(
      world.shared.messages.map(({ content }) => content),
    );
    await ben.run(SendMessageDocument, { chatId: world.shared.id, content: "hello" });
    expect((await received.next()).messageAdded).toMatchObject({ content: "hello", sender: { id: "2" } });
  });
});

test("marking as read is NOT_SUPPORTED where the API keeps no receipts", async () => {
  const world = new World();
  await using server = await startWorld(world, sql);
  await using gateway = await startGateway({ HTTP_API_URL: server.url }, { api: sqlAdapter });
  await using ann = connect(gateway.wsUrl, world.ann.token);
  const error = await errorIn(ann.run(MarkChatReadDocument, { chatId: world.shared.id }));
  expect(error).toMatchObject({
    message: "The chat service keeps no read receipts.",
    extensions: { code: "NOT_SUPPORTED" },
  });
});

test.each([400, 401, 402, 403, 404, 410, 422, 423, 431, 451])(
  "a profile that answers %i is UNAUTHENTICATED",
  async (status) => {
    const world = new World();
    await using server = await startWorld(world, envelope);
    server.faults.push({ path: /./, answer: raw(status, "") });
    await using gateway = await startGateway({ HTTP_API_URL: server.url }, { api: envelopeAdapter });
    await using ann = connect(gateway.wsUrl, world.ann.token);
    expect((await ann.closed).code).toBe(4403);
  },
);

test("the members of many rooms are asked for once", async () => {
  const world = new World();
  for (let n = 0; n < 20; n++) world.addChat(`Room ${n}`, [world.ann]);
  await using server = await startWorld(world, envelope);
  const api = adaptedChatApi(envelopeAdapter)(server.url);
  expect(await api.chats(world.ann.token)).toHaveLength(21);
  expect(server.requests.map(({ url }) => url.split("?")[0])).toEqual(["/v1/rooms", "/v1/members"]);
  await api.close();
});

/** An API without HTTP. */
const INNER: AdapterApi = {
  profile: async () => ({ userId: "u1", name: "Ann" }),
  chats: async () => [],
  messages: async () => ({ messages: [] }),
  sendMessage: async () => Promise.reject(new Error("not now")),
};

const LACKS_ALL = { lacks: ["chat", "receipts", "unreadCounts"] } as const;

test("an adapter in code needs neither HTTP_API_URL nor HTTP", async () => {
  const adapter = defineAdapter((http) => ({ ...INNER, profile: async () => ({ userId: http.token }) }), LACKS_ALL);
  await using gateway = await startGateway({ HTTP_API_URL: "" }, { api: adapter });
  await using client = connect(gateway.wsUrl, "somebody");
  expect(await client.acknowledged).toMatchObject({ userId: "somebody", chatIds: [] });
});

describe("what an adapter throws", () => {
  test("is UPSTREAM_UNAVAILABLE, and the log names the call and the file", async () => {
    const chats = async (): Promise<never> => {
      throw new TypeError("rooms is undefined");
    };
    const api = adaptedChatApi(defineAdapter(() => ({ ...INNER, chats }), LACKS_ALL))("http://127.0.0.1:9");
    const error = await errorOf(api.chats(TOKEN));
    expect(error.code).toBe("UPSTREAM_UNAVAILABLE");
    expect(error.cause).toMatchObject({
      message: "chats of adapter.ts: threw",
      cause: { message: "rooms is undefined" },
    });
    await api.close();
  });

  test("is named by its field where it answers another shape", async () => {
    const adapter = defineAdapter(() => ({ ...INNER, profile: async () => ({}) as never }), LACKS_ALL);
    const api = adaptedChatApi(adapter)("http://127.0.0.1:9");
    const { cause } = await errorOf(api.profile(TOKEN));
    expect(String(cause)).toContain("profile of adapter.ts: answers with another shape: userId: ");
    await api.close();
  });

  test("passes where it is a refusal of the catalogue", async () => {
    const adapter = defineAdapter(
      (_http, helpers) => ({
        ...INNER,
        messages: () => Promise.reject(helpers.refusal("NOT_FOUND")),
        sendMessage: () => Promise.reject(helpers.refusal("BAD_USER_INPUT", "Too long.")),
        profile: () => Promise.reject(helpers.refusal("NOT_FOUND")),
      }),
      LACKS_ALL,
    );
    const api = adaptedChatApi(adapter)("http://127.0.0.1:9");
    expect((await errorOf(api.messages(TOKEN, "c1", 20))).code).toBe("NOT_FOUND");
    expect((await errorOf(api.profile(TOKEN))).code).toBe("UNAUTHENTICATED");
    expect(await errorOf(api.sendMessage(TOKEN, "c1", "x", "key"))).toMatchObject({
      code: "BAD_USER_INPUT",
      message: "Too long.",
      argument: "content",
    });
    await api.close();
  });
});

describe("the next page of an adapter", () => {
  const messages = (next: unknown): Promise<MessagePage> => {
    const page = { messages: [], next } as ApiPage;
    const api = adaptedChatApi(defineAdapter(() => ({ ...INNER, messages: async () => page }), LACKS_ALL));
    return api("http://127.0.0.1:9").messages(TOKEN, "c1", 20);
  };

  test.each([undefined, null, false, ""])("is none where the adapter passes on %j", async (next) => {
    expect((await messages(next)).next).toBeUndefined();
  });

  test.each([
    [2, "2"],
    [0, "0"],
    ["x", "x"],
  ])("is asked for with what the adapter passes on: %j", async (next, value) => {
    expect((await messages(next)).next).toEqual({ parameter: "next", value });
  });

  test("is a fault that is named where nothing can be asked for with it", async () => {
    const { cause } = await errorOf(messages({ after: 7 }));
    expect(String((cause as Error).cause)).toContain("`next` of a page is neither a text nor a number");
  });
});

test.each([10, 3000])("ids that are numbers keep all of their digits, of %i messages", async (count) => {
  const ids = Array.from({ length: count }, (_, n) => `90071992547409${String(n).padStart(5, "0")}`);
  const rows = ids.map((id) => `{"id":${id},"text":"${"x".repeat(100)}","at":1767225600123456789,"many":1.5e300}`);
  await using server = await startScriptedServer(raw(200, `{"data":{"rows":[${rows.join(",")}]}}`));
  const adapter = defineAdapter(
    (http, helpers) => ({
      ...INNER,
      async messages(chatId) {
        const read = helpers.unwrap<{ id: number; text: string; at: number; many: number }[]>(
          await http.get("/rows"),
          "rows",
        );
        const messages = read.map(({ id, text, at, many }) => ({
          id: helpers.id(id),
          chatId,
          senderId: typeof many,
          content: text,
          createdAt: helpers.instant(at),
        }));
        return { messages };
      },
    }),
    LACKS_ALL,
  );
  const api = adaptedChatApi(adapter)(server.url);
  const page = await api.messages(TOKEN, "c1", 20);
  expect(page.messages.map(({ id }) => id)).toEqual(ids);
  expect(page.messages[0]).toMatchObject({ senderId: "number", createdAt: "2026-01-01T00:00:00.123456789Z" });
  await api.close();
});

test("an adapter may use what is answered in words", async () => {
  await using server = await startScriptedServer(raw(201, "Created", { "content-type": "text/plain" }));
  const adapter = defineAdapter(
    (http) => ({
      ...INNER,
      async sendMessage(chatId, content) {
        const id = await http.post<string>("/posts", { body: { content } });
        return { id, chatId, senderId: "u1", content, createdAt: "2026-01-01T00:00:00Z" };
      },
      profile: async () => ({ userId: await http.get<string>("/me") }),
    }),
    LACKS_ALL,
  );
  const api = adaptedChatApi(adapter)(server.url);
  expect(await api.sendMessage(TOKEN, "c1", "hello", "key")).toMatchObject({ id: "Created" });
  expect(String((await errorOf(api.profile(TOKEN))).cause)).toContain(
    "GET /me: answered with something that is not JSON",
  );
  await api.close();
});

test("a call that is missing and not said to be lacking is refused at the start", () => {
  const adapter = defineAdapter(() => INNER, { lacks: ["unreadCounts"] });
  expect(() => adaptedChatApi(adapter)("http://127.0.0.1:9")).toThrow("adapter.ts has no chat, markRead, markChatRead");
});

describe("HTTP_API_ADAPTER", () => {
  const example = fileURLToPath(import.meta.resolve("../../examples/adapters/sql.ts"));

  test("names the module that a gateway runs with", async () => {
    const world = new World();
    await using server = await startWorld(world, sql);
    await using gateway = await startGateway({ HTTP_API_URL: server.url, HTTP_API_ADAPTER: example });
    await using ann = connect(gateway.wsUrl, world.ann.token);
    expect((await ann.run(ChatsDocument)).chats).toHaveLength(1);
  });

  test("is looked for in the working directory, which may be anywhere, by the process", async () => {
    await using directory = await temporaryDirectory();
    await copyFile(example, join(directory.path, "my-adapter.ts"));
    const world = new World();
    await using server = await startWorld(world, sql);
    const env = { HTTP_API_URL: server.url, HTTP_API_ADAPTER: "./my-adapter.ts", PORT: "0", HOST: "127.0.0.1" };
    await using gateway = await runProcess({ env, cwd: directory.path });
    const { data } = await postOperation(await gateway.url(), { query: "{ chats { title } }" }, world.ann.token);
    expect(data).toEqual({ chats: [{ title: "Shared" }] });
  });

  test("that the process cannot load ends it, and the log says why", async () => {
    const env = { HTTP_API_URL: "http://127.0.0.1:9", HTTP_API_ADAPTER: "./none.ts", PORT: "0", HOST: "127.0.0.1" };
    await using gateway = await runProcess({ env });
    expect((await gateway.exited).code).toBe(1);
    expect(gateway.output).toContain("HTTP_API_ADAPTER: ./none.ts cannot be loaded");
  });

  test("that is no adapter is refused", async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "wrong.mjs");
    await writeFile(path, "export default {};\n");
    await expect(loadAdapter(path)).rejects.toThrow("has no default export made by defineAdapter");
    await expect(loadAdapter(join(directory.path, "none.ts"))).rejects.toThrow("cannot be loaded");
  });
});
