/** An instance of an earlier release beside one of this one, on one Redis: what an upgrade, and the way back, is. */
import { execFile } from "node:child_process";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startDevApi } from "../../src/dev/api.ts";
import { connect } from "../support/client.ts";
import {
  ChatsDocument,
  MarkReadDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  SetTypingDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { START_COMMAND, startProcess, temporaryDirectory } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { operationId, MESSAGES, visit, type Visit } from "../support/returning-client.ts";
import type { Transcript } from "../support/transcript.ts";

/** What `npm run keep-release` has written: the package's JavaScript, without what it depends on. */
const RELEASE = fileURLToPath(import.meta.resolve("./releases/0.1.0.tgz"));
const ROOT = fileURLToPath(import.meta.resolve("../../"));

interface Pair extends AsyncDisposable {
  readonly earlier: string;
  readonly present: string;
  readonly api: Awaited<ReturnType<typeof startDevApi>>;
}

/** An instance of each, by the addresses of their WebSockets. */
async function startPair(): Promise<Pair> {
  await using starting = new AsyncDisposableStack();
  const api = starting.use(await startDevApi({ file: ":memory:" }));
  const redis = starting.use(await startRedis());
  const { path } = starting.use(await temporaryDirectory());
  await promisify(execFile)("tar", ["-xzf", RELEASE, "-C", path]);
  await symlink(join(ROOT, "node_modules"), join(path, "node_modules"));
  const env = {
    PORT: "0",
    HOST: "127.0.0.1",
    DRAIN_WINDOW: "0",
    PRESENCE_GRACE: "100",
    HTTP_API_URL: api.url,
    REDIS_URL: redis.url,
  };
  const start = async (command: readonly [string, ...string[]]): Promise<string> => {
    const gateway = starting.use(await startProcess({ command, env }));
    return (await gateway.url()).replace(/^http/, "ws");
  };
  const [earlier, present] = await Promise.all([
    start([process.execPath, join(path, "dist/bin/graphql-chat-gateway.js")]),
    start(START_COMMAND),
  ]);
  const running = starting.move();
  return { earlier, present, api, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

test.each([
  ["an earlier release", "this one", "earlier", "present"],
  ["this one", "an earlier release", "present", "earlier"],
] as const)("messages, receipts, typing and presence get from %s to %s", async (_from, _to, from, to) => {
  await using pair = await startPair();
  const [alice, bob] = pair.api.users;
  const chatId = pair.api.demoChatId;
  await using receiver = connect(pair[to], alice?.token);
  await using messages = receiver.subscribe(MessageAddedDocument, { chatId });
  await using receipts = receiver.subscribe(ReadReceiptDocument, { chatId });
  await using typing = receiver.subscribe(TypingChangedDocument, { chatId });
  await using presence = receiver.subscribe(PresenceChangedDocument);
  await receiver.run(ChatsDocument);
  const seen = async (online: boolean): Promise<void> => {
    for (;;) {
      const { presenceChanged } = await presence.next();
      if (presenceChanged.user.id === bob?.id && presenceChanged.online === online) return;
    }
  };
  const sender = connect(pair[from], bob?.token);
  await sender.run(ChatsDocument);
  await seen(true);
  const { sendMessage } = await sender.run(SendMessageDocument, { chatId, content: "hello" });
  expect((await messages.next()).messageAdded).toMatchObject({ id: sendMessage.id, content: "hello" });
  // What somebody writes ends their typing: it is the other one who reads and is seen typing.
  const { sendMessage: answer } = await receiver.run(SendMessageDocument, { chatId, content: "hello yourself" });
  await sender.run(MarkReadDocument, { chatId, messageId: answer.id });
  expect((await receipts.next()).readReceipt).toMatchObject({ messageId: answer.id, reader: { id: bob?.id } });
  await sender.run(SetTypingDocument, { chatId, isTyping: true });
  expect((await typing.next()).typingChanged).toMatchObject({ isTyping: true, user: { id: bob?.id } });
  await sender.client.dispose();
  await seen(false);
});

test("a client goes from an earlier release to this one and back, and misses nothing", async () => {
  await using pair = await startPair();
  const [alice, bob] = pair.api.users;
  const chatId = pair.api.demoChatId;
  await using sender = connect(pair.earlier, bob?.token);
  await using other = connect(pair.present, bob?.token);
  const send = async (client: typeof sender, content: string): Promise<void> => {
    await client.run(SendMessageDocument, { chatId, content });
  };
  const parts: Transcript[] = [];
  let current: Visit | undefined;
  const places = [pair.earlier, pair.present, pair.earlier, pair.present];
  for (const [index, place] of places.entries()) {
    current = await visit(place, alice?.token ?? "");
    const transcript = await current.followAs(operationId("alice"), { query: MESSAGES, variables: { chatId } });
    parts.push(transcript);
    if (index > 0) await transcript.has(`missed ${index} from the earlier`, `missed ${index} from this`);
    await send(sender, `live ${index} from the earlier`);
    await send(other, `live ${index} from this`);
    await transcript.has(`live ${index} from the earlier`, `live ${index} from this`);
    await current.confirmed();
    await current.drop();
    await send(sender, `missed ${index + 1} from the earlier`);
    await send(other, `missed ${index + 1} from this`);
  }
  const expected = places.map((_, index) => [
    ...(index === 0 ? [] : [`missed ${index} from the earlier`, `missed ${index} from this`]),
    `live ${index} from the earlier`,
    `live ${index} from this`,
  ]);
  expect(parts.map(({ all }) => all)).toEqual(expected);
});
