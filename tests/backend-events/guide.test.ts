/** The code in docs/BACKEND.md, run as it stands there. */
import { readFileSync } from "node:fs";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { afterEach, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { loadAdapter } from "../../src/upstream/adapter/load.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument } from "../support/generated/graphql.ts";
import { json, startScriptedServer } from "../support/scripted-server.ts";

const [alice, bob] = DEMO_USERS;
const { shop } = DEMO_CHATS;

const GUIDE = readFileSync(new URL("../../docs/BACKEND.md", import.meta.url), "utf8");

function blocks(language: string): readonly string[] {
  return [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, code]) => code ?? "",
  );
}

interface Recipes {
  readonly tell: (type: string, data: unknown, id?: string) => Promise<Response>;
  readonly consume: (queueMessage: unknown) => Promise<string>;
  readonly drain: (outbox: unknown) => Promise<void>;
}

/** A directory from which the package's own name, and those that it depends on, lead where they should. */
const besideTheSources = () => mkdtempDisposable(join(import.meta.dirname, ".guide-"));

async function recipesFor(gateway: TestGateway, directory: string): Promise<Recipes> {
  process.env["EVENTS_SECRET"] = EVENTS_SECRET;
  process.env["GATEWAY_URL"] = new URL(gateway.url).origin;
  const path = join(directory, "recipes.mjs");
  await writeFile(path, blocks("js").join("\n"));
  return (await import(pathToFileURL(path).href)) as Recipes;
}

afterEach(() => {
  delete process.env["EVENTS_SECRET"];
  delete process.env["GATEWAY_URL"];
});

const message = (id: string): object => ({
  id,
  chatId: shop,
  senderId: bob.id,
  content: `content of ${id}`,
  createdAt: "2026-02-01T10:00:00Z",
});

test("the recipes for Node.js and a message queue deliver", async () => {
  await using directory = await besideTheSources();
  await using gateway = await startGateway({ EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const { tell, consume } = await recipesFor(gateway, directory.path);
  expect((await tell("message.created", { message: message("m1") })).status).toBe(202);
  const queued = { id: "q-1", type: "message.created", data: { message: message("m2") } };
  expect([await consume(queued), await consume(queued)]).toEqual(["acknowledge", "acknowledge"]);
  expect(await consume({ id: "q-2", type: "nothing", data: {} })).toBe("acknowledge");
  expect((await received.next()).messageAdded.id).toBe("m1");
  // Told without the sender's name, which the chat's members have.
  expect((await received.next()).messageAdded).toMatchObject({ id: "m2", sender: { name: bob.name } });
});

test("the recipe for a database delivers what its trigger has written", async () => {
  await using directory = await besideTheSources();
  await using gateway = await startGateway({ EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const { drain } = await recipesFor(gateway, directory.path);
  const database = new DatabaseSync(":memory:");
  database.exec("create table messages (id text, chat_id text, sender_id text, content text, created_at text)");
  for (const statement of blocks("sql")) database.exec(statement);
  const insert = database.prepare("insert into messages values (?, ?, ?, ?, ?)");
  for (const id of ["m1", "m2"]) insert.run(id, shop, bob.id, `content of ${id}`, "2026-02-01T10:00:00Z");
  const outbox = {
    oldest: async (count: number) => database.prepare("select * from outbox order by id limit ?").all(count),
    remove: async (id: number) => database.prepare("delete from outbox where id = ?").run(id),
  };
  await drain(outbox);
  const ids = [await received.next(), await received.next()].map(({ messageAdded }) => messageAdded.id);
  expect(ids).toEqual(["m1", "m2"]);
  expect(await outbox.oldest(10)).toEqual([]);
  database.close();
});

test("the adapter of the guide runs", async () => {
  await using directory = await besideTheSources();
  const path = join(directory.path, "my-adapter.ts");
  const [source = ""] = blocks("ts");
  await writeFile(path, source);
  const ann = { id: 1, name: "Ann" };
  const room = { id: 7, subject: "Books", members: [ann], created: 1_767_225_600, updated: 1_767_225_600 };
  const post = { id: 9, room: 7, author: ann, text: "hello", sent: 1_767_225_600 };
  await using server = await startScriptedServer((response, request) => {
    if (request.url === "/me") return json(200, { data: { user: ann } })(response, request);
    if (request.url === "/rooms") return json(200, { rooms: [room] })(response, request);
    const body = request.method === "POST" ? { data: { post } } : { data: { posts: [post] } };
    return json(200, body)(response, request);
  });
  await using gateway = await startGateway({ HTTP_API_URL: server.url }, { api: await loadAdapter(path) });
  await using client = connect(gateway.wsUrl, "token");
  const { chats } = await client.run(ChatsDocument);
  expect(chats).toMatchObject([{ id: "7", title: "Books", participants: [{ name: "Ann" }], unreadCount: 0 }]);
});
