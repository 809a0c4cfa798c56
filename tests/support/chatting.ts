/** What the tests of delivery do as clients: send, load a page, follow. */
import type { TestClient } from "./client.ts";
import { ChatDocument, MessageAddedDocument, SendMessageDocument } from "./generated/graphql.ts";
import { Transcript } from "./transcript.ts";

export async function send(client: TestClient, chatId: string, content: string): Promise<string> {
  const { sendMessage } = await client.run(SendMessageDocument, { chatId, content });
  return sendMessage.cursor;
}

export async function sendAll(
  client: TestClient,
  chatId: string,
  contents: readonly string[],
): Promise<readonly string[]> {
  const cursors: string[] = [];
  for (const content of contents) cursors.push(await send(client, chatId, content));
  return cursors;
}

export interface Page {
  readonly contents: readonly string[];
  readonly cursors: readonly string[];
  readonly endCursor: string;
}

export async function page(client: TestClient, id: string, last = 50): Promise<Page> {
  const { nodes, pageInfo } = (await client.run(ChatDocument, { id, last })).chat.messages;
  return {
    contents: nodes.map(({ content }) => content),
    cursors: nodes.map(({ cursor }) => cursor),
    endCursor: pageInfo.endCursor ?? "",
  };
}

export function follow(client: TestClient, variables: { chatId?: string; after?: string } = {}): Transcript {
  return Transcript.of(client.subscribe(MessageAddedDocument, variables), ({ messageAdded }) => messageAdded.content);
}
