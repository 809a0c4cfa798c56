/** Histories whose pages are counted by their messages: while somebody writes, messages move from page to page. */
import { expect, test } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { numbered } from "../support/transcript.ts";
import { json } from "../support/scripted-server.ts";
import { chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";

const SUBSCRIPTION = 'subscription ($after: String) { messageAdded(chatId: "c1", after: $after) { id } }';
const PAGE = '{ chat(id: "c1") { messages(last: 500) { nodes { id cursor } } } }';

/** Several times what one reader holds. */
const COUNT = 300;
const TEXT = "m".repeat(9900);
const OLD = numbered("old", 1, COUNT);
const START_MS = Date.parse("2026-01-01T00:00:00Z");

interface Page {
  readonly chat: { readonly messages: { readonly nodes: readonly { readonly id: string; readonly cursor: string }[] } };
}

test.each([3, 37, 99])(
  "a long replay has every message once, in order, while each request finds %i more",
  async (more) => {
    const newestFirst = OLD.map((id, index) => recordAt(id, index)).toReversed();
    let [requests, isMoving] = [0, false];
    await using api = await startSmallApi({
      chats: [chatRecord("c1")],
      answer({ url }) {
        if (!url.startsWith("/chats/c1/messages")) return undefined;
        // Not for ever: a history that changes at every step of a reading cannot be read.
        if (isMoving && requests++ < 30) {
          for (let n = 0; n < more; n++) newestFirst.unshift(recordAt(`new${newestFirst.length}`, newestFirst.length));
        }
        const start = Number(new URL(url, "http://api").searchParams.get("nextToken") ?? 0);
        const end = start + 100;
        const nextToken = end < newestFirst.length ? String(end) : null;
        return json(200, { messages: newestFirst.slice(start, end), nextToken });
      },
    });
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    await using client = await openGraphQLSocket(gateway.wsUrl, "token");
    const { chat } = (await client.run({ query: PAGE })) as unknown as Page;
    isMoving = true;
    const replay = client.start({ query: SUBSCRIPTION, variables: { after: chat.messages.nodes[0]?.cursor } });
    const ids: string[] = [];
    while (ids.filter((id) => id.startsWith("old")).length < COUNT - 1) ids.push(idOf(await replay.next()));
    expect(ids.filter((id) => id.startsWith("old"))).toEqual(OLD.slice(1));
    expect(new Set(ids).size).toBe(ids.length);
  },
);

function recordAt(id: string, second: number): object {
  return messageRecord(id, "c1", { content: TEXT, createdAt: new Date(START_MS + second * 1000).toISOString() });
}

function idOf(payload: string): string {
  const { data } = JSON.parse(payload) as { data: { messageAdded: { id: string } } };
  return data.messageAdded.id;
}
