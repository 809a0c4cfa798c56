/** Whatever order a REST API's pages have and however coarse its clock is: after each cursor comes the rest, once and in order. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { page } from "../support/chatting.ts";
import { connect, type TestClient } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { MessageAddedDocument } from "../support/generated/graphql.ts";
import { json } from "../support/scripted-server.ts";
import { chatRecord, startSmallApi } from "../support/small-api.ts";
import type { WireMessage } from "../../src/upstream/chat-api.ts";

const CHATS = ["c1", "c2"] as const;
type ChatId = (typeof CHATS)[number];

type Paging = "oldest first" | "newest first" | "by key";

interface Pages {
  readonly paging: Paging;
  readonly size: number;
  /** Whether a page is known by its offset, or by the message before it. */
  readonly isCounted: boolean;
}

/** What a REST API has of a chat, and how it gives it. */
class Rows {
  readonly chatId: ChatId;
  readonly rows: WireMessage[] = [];
  readonly #pages: Pages;

  constructor(chatId: ChatId, pages: Pages) {
    this.chatId = chatId;
    this.#pages = pages;
  }

  page(token: string | null): object {
    const rows = this.#inOrder();
    const { isCounted, size } = this.#pages;
    const start = token === null ? 0 : isCounted ? Number(token) : rows.findIndex(({ id }) => id === token) + 1;
    const messages = rows.slice(start, start + size);
    const end = start + messages.length;
    const last = messages.at(-1);
    if (!last || end >= rows.length) return { messages };
    if (isCounted) return { messages, nextToken: String(end) };
    return { messages, lastEvaluatedKey: { chatId: this.chatId, id: last.id } };
  }

  #inOrder(): readonly WireMessage[] {
    const { paging } = this.#pages;
    if (paging === "by key") return this.rows.toSorted((a, b) => (hashOf(a.id) < hashOf(b.id) ? -1 : 1));
    const byTime = this.rows.toSorted((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt));
    return paging === "newest first" ? byTime.toReversed() : byTime;
  }
}

/** Some order that has nothing to do with time. */
function hashOf(id: string): number {
  return (Number(id.slice(1)) * 7919) % 101;
}

interface Replayed {
  readonly id: string;
  readonly chatId: string;
  readonly cursor: string;
}

/** All that comes after a cursor, up to the last message. */
async function replay(client: TestClient, variables: object, last: string): Promise<readonly Replayed[]> {
  await using received = client.subscribe(MessageAddedDocument, variables);
  const messages: Replayed[] = [];
  while (messages.at(-1)?.id !== last) messages.push((await received.next()).messageAdded);
  return messages;
}

function byChat(messages: readonly Replayed[]): readonly (readonly string[])[] {
  return CHATS.map((chatId) => messages.filter((message) => message.chatId === chatId).map(({ id }) => id));
}

/** Whether a message is of the second chat, and how many seconds after the one before it, by the REST API's clock. */
const step = (...seconds: number[]): fc.Arbitrary<readonly [boolean, number]> =>
  fc.tuple(fc.boolean(), fc.constantFrom(...seconds));

const history = fc.record({
  paging: fc.constantFrom<Paging>("oldest first", "newest first", "by key"),
  size: fc.integer({ min: 1, max: 5 }),
  isCounted: fc.boolean(),
  old: fc.array(step(0, 0, 1), { maxLength: 5 }),
  /** Published in this order. */
  recent: fc.array(step(0, 0, 0, 1, 2, -1), { maxLength: 6 }),
  isOfAll: fc.boolean(),
  /** Whether the gateway has forgotten what it has published. */
  isRestarted: fc.boolean(),
});

test("each cursor is a place after which everything comes that its reader had not", async () => {
  await fc.assert(
    fc.asyncProperty(history, async ({ old, recent, isOfAll, isRestarted, ...pages }) => {
      const chats = { c1: new Rows("c1", pages), c2: new Rows("c2", pages) };
      await using server = await startSmallApi({
        chats: CHATS.map((chatId) => chatRecord(chatId)),
        answer({ url }) {
          const { pathname, searchParams } = new URL(url, "http://api");
          const chatId = CHATS.find((id) => pathname === `/chats/${id}/messages`);
          if (!chatId) return undefined;
          return json(200, chats[chatId].page(searchParams.get("nextToken") ?? searchParams.get("lastMessageId")));
        },
      });
      const settings = { HTTP_API_URL: server.url, EVENTS_SECRET };
      await using publisher = await startGateway(settings);
      let atMs = Date.now() - 3_600_000;
      let written = 0;
      const write = (chatId: ChatId, seconds: number): WireMessage => {
        atMs += seconds * 1000;
        const createdAt = new Date(Math.floor(atMs / 1000) * 1000).toISOString();
        const id = `m${written++}`;
        const message = { id, chatId, senderId: "u2", senderName: "Ben", content: id, createdAt };
        chats[chatId].rows.push(message);
        return message;
      };
      const chatOf = (isOther: boolean): ChatId => (isOfAll && isOther ? "c2" : "c1");
      write("c1", 0);
      for (const [isOther, seconds] of old) write(chatOf(isOther), seconds);
      atMs = Date.now() - 30_000;
      const published: Replayed[] = [];
      for (const [isOther, seconds] of [...recent, [false, 10] as const]) {
        const message = write(chatOf(isOther), seconds);
        await tell(publisher, { type: "message.created", data: { message } });
        published.push({ ...message, cursor: "" });
      }
      await using other = isRestarted ? await startGateway(settings) : undefined;
      await using client = connect((other ?? publisher).wsUrl, "token");
      const before: (readonly string[])[] = [];
      let after = "";
      for (const [index, chatId] of CHATS.entries()) {
        const { contents, cursors } = await page(client, chatId, 500);
        const unpublished = contents.filter((id) => !published.some((message) => message.id === id));
        before.push(isRestarted ? contents : [...unpublished, ...(byChat(published)[index] ?? [])]);
        after ||= cursors[0] ?? "";
      }
      // The first message is what the client has.
      let expected = before.map((ids, index) => ids.slice(index === 0 ? 1 : 0));
      while (expected.flat().length > 0) {
        const variables = { ...(isOfAll ? {} : { chatId: "c1" }), after };
        const [next, ...rest] = await replay(client, variables, published.at(-1)?.id ?? "");
        expect(byChat(next ? [next, ...rest] : [])).toEqual(expected);
        expected = expected.map((ids) => ids.filter((id) => id !== next?.id));
        after = next?.cursor ?? "";
      }
    }),
    { seed: 20_260_131, numRuns: 25, endOnFailure: true },
  );
}, 300_000);
