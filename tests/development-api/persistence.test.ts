import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startDevApi } from "../../src/dev/api.ts";
import { DEMO_CHATS } from "../../src/dev/seed.ts";
import { call } from "./client.ts";

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "development-api-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

test("Messages, reads, keys and tokens survive a restart, and the demo data is not added again", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "made", "on-demand", "chat.sqlite");
  const path = `/chats/${DEMO_CHATS.shop}`;
  const post = { body: { content: "Still there?" }, idempotencyKey: "k1" };
  const before = await startDevApi({ file });
  await call(before, `PUT ${path}/read-all`);
  const posted = await call(before, `POST ${path}/messages`, post);
  before.data.revokeToken("carol-token");
  const messages = await call(before, `GET ${path}/messages`);
  const chats = await call(before, "GET /chats");
  await before.close();

  await using after = await startDevApi({ file });
  expect((await call(after, `POST ${path}/messages`, post)).body).toEqual(posted.body);
  expect((await call(after, `GET ${path}/messages`)).body).toEqual(messages.body);
  expect((await call(after, "GET /chats")).body).toEqual(chats.body);
  expect(await call(after, "GET /chats", { token: "carol-token" })).toMatchObject({ status: 401 });
});

test("The demo data has titles, read and unread messages, and the same ids everywhere", async () => {
  await using one = await startDevApi({ file: ":memory:" });
  await using two = await startDevApi({ file: ":memory:" });
  expect(one.users.map(({ token }) => token)).toEqual(["alice-token", "bob-token", "carol-token"]);
  const { body } = await call(one, "GET /chats", { token: "bob-token" });
  expect(body).toMatchObject({
    chats: [
      { id: DEMO_CHATS.shop, storeName: "Corner Bookshop", unreadCount: 0 },
      { id: DEMO_CHATS.team, storeName: "Harbour Fair", unreadCount: 0 },
      { id: DEMO_CHATS.pair, unreadCount: 1 },
    ],
  });
  for (const chatId of Object.values(DEMO_CHATS)) {
    expect(one.data.messages(chatId)).toEqual(two.data.messages(chatId));
    expect(one.data.messages(chatId).filter(({ readAt }) => readAt === undefined)).not.toHaveLength(0);
    expect(one.data.messages(chatId).filter(({ readAt }) => readAt !== undefined)).not.toHaveLength(0);
  }
});

test("A file that is no database fails the start and is left as it is", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "notes.txt");
  const notes = "These are not the tables you are looking for. ".repeat(20);
  await writeFile(file, notes);
  await expect(startDevApi({ file })).rejects.toThrow("not a database");
  expect(await readFile(file, "utf8")).toBe(notes);
});

test("A port that is taken fails the start", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const port = Number(new URL(api.url).port);
  await expect(startDevApi({ file: ":memory:", port })).rejects.toThrow("EADDRINUSE");
});

test("Closing ends idle connections and requests that are held, and may be repeated", async () => {
  const api = await startDevApi({ file: ":memory:" });
  const idle = connect(Number(new URL(api.url).port), "127.0.0.1");
  await once(idle, "connect");
  const idleEnded = once(idle.resume(), "close");
  const gate = api.faults.hold();
  const held = call(api, "GET /chats").catch((error: unknown) => error);
  await gate.arrived();
  await Promise.all([api.close(), api.close()]);
  expect(await held).toBeInstanceOf(TypeError);
  await idleEnded;
  await expect(call(api, "GET /chats")).rejects.toThrow("fetch failed");
});
