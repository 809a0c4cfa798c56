/** One fault in each field of one record: the other records are there whatever it is, and so is that one where it can be. */
import { describe, expect, test } from "vitest";
import documentStoreAdapter from "../../examples/adapters/document-store.ts";
import envelopeAdapter from "../../examples/adapters/envelope.ts";
import sqlAdapter from "../../examples/adapters/sql.ts";
import type { Adapter, AdapterApi } from "../../src/upstream/adapter/adapter.ts";
import { adaptedChatApi, recordingLog, restChatApi } from "../support/rest-chat-api.ts";
import { chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";
import { documentStore, envelope, sql } from "./shapes.ts";
import { startWorld, World } from "./world.ts";

/** Without these a record cannot be read; the others are shown in another way or not at all. */
const NEEDED = {
  chats: ["id", "participants", "createdAt", "updatedAt"],
  messages: ["id", "chatId", "senderId", "content", "createdAt"],
} as const;

const OPTIONAL = {
  chats: ["participantNames", "storeName", "lastMessage", "unreadCount"],
  messages: ["senderName", "readAt"],
} as const;

const ROWS = (["chats", "messages"] as const).flatMap((list) =>
  ([...NEEDED[list], ...OPTIONAL[list]] as const).flatMap((field) =>
    [undefined, null, 7, {}].map((value) => ({
      list,
      field,
      value,
      isNeeded: (NEEDED[list] as readonly string[]).includes(field),
    })),
  ),
);

type Row = (typeof ROWS)[number];

/** Changes a field of the first of some records. */
function spoil<T extends object>([first, ...others]: readonly T[], { field, value }: Row): T[] {
  return first ? [{ ...first, [field]: value }, ...others] : [];
}

/** What each list has with a fault in it, and what was logged. */
async function expectTolerance(
  row: Row,
  read: (log: ReturnType<typeof recordingLog>) => Promise<{ ids: readonly string[]; all: readonly string[] }>,
): Promise<void> {
  const log = recordingLog();
  const { ids, all } = await read(log);
  expect(ids).toEqual(row.isNeeded ? all.slice(1) : all);
  const reports = log.lines.filter(({ msg }) => msg === "a record of the REST API was left out");
  expect(reports).toHaveLength(row.isNeeded ? 1 : 0);
  expect(reports.every(({ fault }) => String(fault).startsWith(`${row.field}:`))).toBe(true);
}

describe("the built-in client", () => {
  test.each(ROWS)("$list[0].$field is $value", async (row) => {
    const chats = ["c1", "c2", "c3"].map((id) => chatRecord(id));
    const messages = ["m1", "m2", "m3"].map((id) => messageRecord(id, "c2"));
    await using api = await startSmallApi({
      chats: row.list === "chats" ? spoil(chats, row) : chats,
      messages: { c2: { messages: row.list === "messages" ? spoil(messages, row) : messages } },
    });
    await expectTolerance(row, async ({ log }) => {
      const client = restChatApi(api.url, { log });
      const records = row.list === "chats" ? await client.chats("t") : (await client.messages("t", "c2", 20)).messages;
      await client.close();
      return { ids: records.map(({ id }) => id), all: row.list === "chats" ? ["c1", "c2", "c3"] : ["m1", "m2", "m3"] };
    });
  });
});

/** The adapter with a fault in what it answers. */
function faulty(adapter: Adapter, row: Row): Adapter {
  const create: Adapter["create"] = (http, helpers): AdapterApi => {
    const api = adapter.create(http, helpers);
    return {
      ...api,
      chats: async () => (row.list === "chats" ? spoil(await api.chats(), row) : api.chats()),
      async messages(chatId, page) {
        const { messages, ...rest } = await api.messages(chatId, page);
        return { ...rest, messages: row.list === "messages" ? spoil(messages, row) : messages };
      },
    };
  };
  return { ...adapter, create };
}

describe.each([
  ["document-store", documentStore, documentStoreAdapter],
  ["sql", sql, sqlAdapter],
  ["envelope", envelope, envelopeAdapter],
] as const)("the %s adapter", (_name, shape, adapter) => {
  test.each(ROWS)("$list[0].$field is $value", async (row) => {
    const world = new World();
    const more = world.addChat("More", [world.ann]);
    await using server = await startWorld(world, shape);
    await expectTolerance(row, async ({ log }) => {
      const sound = adaptedChatApi(adapter)(server.url);
      const client = adaptedChatApi(faulty(adapter, row))(server.url, { log });
      const read = async (api: typeof client): Promise<readonly string[]> => {
        const { token } = world.ann;
        const { shared } = world;
        const records =
          row.list === "chats" ? await api.chats(token) : (await api.messages(token, shared.id, 20)).messages;
        return records.map(({ id }) => id);
      };
      const [all, ids] = [await read(sound), await read(client)];
      await Promise.all([sound.close(), client.close()]);
      return { ids, all };
    });
    expect(world.chats).toContain(more);
  });
});
