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

const CHAT = "c1";

type Paging = "oldest first" | "newest first" | "by key";

/** What a REST API has, and how it gives it. */
class Rows {
  readonly rows: WireMessage[] = [];
  paging: Paging = "oldest first";
  size = 3;
  /** Whether a page is known by its offset, or by the message before it. */
  isCounted = false;

  page(token: string | null): object {
    const rows = this.#inOrder();
    const start = token === null ? 0 : this.isCounted ? Number(token) : rows.findIndex(({ id }) => id === token) + 1;
    const messages = rows.slice(start, start + this.size);
    const end = start + messages.length;
    const last = messages.at(-1);
    if (!last || end >= rows.length) return { messages };
    if (this.isCounted) return { messages, nextToken: String(end) };
    return { messages, lastEvaluatedKey: { chatId: CHAT, id: last.id } };
  }

  #inOrder(): readonly WireMessage[] {
    if (this.paging === "by key") return this.rows.toSorted((a, b) => (hashOf(a.id) < hashOf(b.id) ? -1 : 1));
    const byTime = this.rows.toSorted((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt));
    return this.paging === "newest first" ? byTime.toReversed() : byTime;
  }
}

/** Some order that has nothing to do with time. */
function hashOf(id: string): number {
  return (Number(id.slice(1)) * 7919) % 101;
}

interface Replayed {
  readonly id: string;
  readonly cursor: string;
}

/** All that comes after a cursor, up to the last message. */
async function replay(client: TestClient, variables: object, last: string): Promise<readonly Replayed[]> {
  await using received = client.subscribe(MessageAddedDocument, variables);
  const messages: Replayed[] = [];
  while (messages.at(-1)?.id !== last) messages.push((await received.next()).messageAdded);
  return messages;
}

const history = fc.record({
  paging: fc.constantFrom<Paging>("oldest first", "newest first", "by key"),
  size: fc.integer({ min: 1, max: 5 }),
  isCounted: fc.boolean(),
  /** Seconds after the message before, as the REST API's clock has them. */
  old: fc.array(fc.constantFrom(0, 0, 1), { minLength: 1, maxLength: 6 }),
  /** Published in this order. */
  recent: fc.array(fc.constantFrom(0, 0, 0, 1, 2, -1), { maxLength: 6 }),
  isOfAll: fc.boolean(),
  /** Whether the gateway has forgotten what it has published. */
  isRestarted: fc.boolean(),
});

test("each cursor is a place after which everything comes that its reader had not", async () => {
  await fc.assert(
    fc.asyncProperty(history, async ({ paging, size, isCounted, old, recent, isOfAll, isRestarted }) => {
      const api = Object.assign(new Rows(), { paging, size, isCounted });
      await using server = await startSmallApi({
        chats: [chatRecord(CHAT)],
        answer({ url }) {
          if (!url.startsWith(`/chats/${CHAT}/messages`)) return undefined;
          const query = new URL(url, "http://api").searchParams;
          return json(200, api.page(query.get("nextToken") ?? query.get("lastMessageId")));
        },
      });
      const settings = { HTTP_API_URL: server.url, EVENTS_SECRET };
      await using publisher = await startGateway(settings);
      let atMs = Date.now() - 3_600_000;
      const write = (step: number): WireMessage => {
        atMs += step * 1000;
        const createdAt = new Date(Math.floor(atMs / 1000) * 1000).toISOString();
        const id = `m${api.rows.length}`;
        const written = { id, chatId: CHAT, senderId: "u2", senderName: "Ben", content: id, createdAt };
        api.rows.push(written);
        return written;
      };
      for (const step of old) write(step);
      atMs = Date.now() - 30_000;
      const published: string[] = [];
      // Over all chats the order of creation counts, which alone they have in common.
      for (const step of [...recent.map((each) => (isOfAll ? Math.abs(each) : each)), 10]) {
        const message = write(step);
        await tell(publisher, { type: "message.created", data: { message } });
        published.push(message.id);
      }
      await using other = isRestarted ? await startGateway(settings) : undefined;
      await using client = connect((other ?? publisher).wsUrl, "token");
      const { contents, cursors } = await page(client, CHAT, 500);
      const [, ...expected] = isRestarted ? contents : [...contents.slice(0, old.length), ...published];
      const last = published.at(-1) ?? "";
      let [after = ""] = cursors;
      while (expected.length > 0) {
        const replayed = await replay(client, { ...(isOfAll ? {} : { chatId: CHAT }), after }, last);
        expect(replayed.map(({ id }) => id)).toEqual(expected);
        expected.shift();
        after = replayed[0]?.cursor ?? "";
      }
    }),
    { seed: 20_260_131, numRuns: 25, endOnFailure: true },
  );
}, 300_000);
