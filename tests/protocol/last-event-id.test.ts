/** Event streams that go on where they were cut. */
import { createClient } from "graphql-sse";
import { print } from "graphql";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { startGateway } from "../support/gateway.ts";
import {
  MessageAddedDocument,
  SendMessageDocument,
  type MessageAddedSubscription,
} from "../support/generated/graphql.ts";
import { codesOf, openEventStream, type HttpOperation } from "../support/http.ts";
import { startRelay } from "../support/relay.ts";
import { overHttp } from "../support/runner.ts";
import { Queue } from "../support/queue.ts";
import { startInstances } from "../support/backplane.ts";

const [alice, bob] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const CONTENTS: HttpOperation = { query: "subscription { messageAdded { content } }" };

interface Contents {
  readonly messageAdded: { readonly content: string };
}

function open(url: string, operation = CONTENTS, lastEventId?: string) {
  const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  return openEventStream<Contents>(url, operation, alice.token, headers);
}

async function send(url: string, contents: readonly string[], chatId: string = team): Promise<string[]> {
  const cursors: string[] = [];
  for (const content of contents) {
    const { sendMessage } = await overHttp(url, bob.token).run(SendMessageDocument, { chatId, content });
    cursors.push(sendMessage.cursor);
  }
  return cursors;
}

async function take(stream: Awaited<ReturnType<typeof open>>, count: number): Promise<(string | undefined)[]> {
  const contents: (string | undefined)[] = [];
  for (let n = 0; n < count; n++) contents.push((await stream.next()).data?.messageAdded.content);
  return contents;
}

describe("Last-Event-ID", () => {
  test("continues behind the last result that arrived: none is lost, none comes twice", async () => {
    await using gateway = await startDiscreetGateway();
    await using first = await open(gateway.url);
    await send(gateway.url, ["a1", "a2"]);
    await send(gateway.url, ["b1"], shop);
    expect(await take(first, 3)).toEqual(["a1", "a2", "b1"]);
    first.abort();
    await send(gateway.url, ["a3"]);
    await send(gateway.url, ["b2"], shop);
    await using second = await open(gateway.url, CONTENTS, first.lastEventId);
    await send(gateway.url, ["a4"]);
    expect(await take(second, 3)).toEqual(["a3", "b2", "a4"]);
  });

  test("is the cursor of the message, though the operation does not select it", async () => {
    await using gateway = await startDiscreetGateway();
    await using stream = await open(gateway.url);
    const [cursor] = await send(gateway.url, ["a1"]);
    await stream.next();
    expect(stream.lastEventId).toBe(cursor);
  });

  test("wins over an explicit after, which is older", async () => {
    await using gateway = await startDiscreetGateway();
    const [after, last] = await send(gateway.url, ["a1", "a2", "a3"]);
    const query = "subscription ($after: String) { messageAdded(after: $after) { content } }";
    await using first = await open(gateway.url, { query, variables: { after } });
    expect(await take(first, 2)).toEqual(["a2", "a3"]);
    await using second = await open(gateway.url, { query, variables: { after } }, last);
    expect(await take(second, 1)).toEqual(["a3"]);
  });

  test("that is empty is none", async () => {
    await using gateway = await startDiscreetGateway();
    await send(gateway.url, ["a1"]);
    await using stream = await open(gateway.url, CONTENTS, "");
    await send(gateway.url, ["a2"]);
    expect(await take(stream, 1)).toEqual(["a2"]);
  });

  test("that is no cursor ends the stream with BAD_USER_INPUT", async () => {
    await using gateway = await startDiscreetGateway();
    await using stream = await open(gateway.url, CONTENTS, "7");
    expect(codesOf((await stream.next()).errors)).toEqual(["BAD_USER_INPUT"]);
    await stream.completed();
  });

  test("is sent by pages of other origins, too", async () => {
    await using gateway = await startDiscreetGateway({ CORS_ORIGIN: "https://app.example" });
    const headers = { origin: "https://app.example", "access-control-request-method": "POST" };
    const { headers: allowed } = await fetch(gateway.url, { method: "OPTIONS", headers });
    expect(allowed.get("access-control-allow-headers")).toContain("last-event-id");
  });
});

test.each(["typingChanged", "presenceChanged", "readReceipt"])("a result of %s has no id", async (field) => {
  await using gateway = await startDiscreetGateway();
  await using stream = await openEventStream(
    gateway.url,
    { query: `subscription { ${field} { __typename } }` },
    alice.token,
  );
  const mutations = {
    typingChanged: `setTyping(chatId: "${team}", isTyping: true) { isTyping }`,
    readReceipt: `markChatRead(chatId: "${team}") { readAt }`,
    presenceChanged: "",
  };
  const mutation = mutations[field as keyof typeof mutations];
  await using online = await openEventStream(gateway.url, CONTENTS, bob.token);
  expect(online.response.status).toBe(200);
  if (mutation !== "") {
    const body = JSON.stringify({ query: `mutation { ${mutation} }` });
    const headers = { "content-type": "application/json", authorization: `Bearer ${bob.token}` };
    await fetch(gateway.url, { method: "POST", headers, body });
  }
  await stream.next();
  expect(stream.lastEventId).toBeUndefined();
});

/** A stock client that names the cursor of the last message that it got. */
function follow(url: string): { readonly contents: Queue<string>; readonly connects: Queue<true>; dispose(): void } {
  const contents = new Queue<string>();
  const connects = new Queue<true>();
  let cursor: string | undefined;
  const client = createClient({
    url,
    headers: () => ({
      authorization: `Bearer ${alice.token}`,
      ...(cursor === undefined ? {} : { "last-event-id": cursor }),
    }),
    retryAttempts: Infinity,
    retry: () => new Promise((resolve) => setTimeout(resolve, 20)),
    on: { connected: () => connects.push(true) },
  });
  client.subscribe<MessageAddedSubscription>(
    { query: print(MessageAddedDocument), variables: { chatId: team } },
    {
      next({ data }) {
        cursor = data?.messageAdded.cursor;
        contents.push(data?.messageAdded.content ?? "");
      },
      error: (error) => contents.end(new Error("the client gave up", { cause: error })),
      complete: () => contents.end(new Error("the subscription was completed")),
    },
  );
  return { contents, connects, dispose: () => client.dispose() };
}

describe("a graphql-sse client", () => {
  test("whose connection is cut gets what it missed, once", async () => {
    await using gateway = await startGateway();
    await using relay = await startRelay(gateway.url);
    const reader = follow(relay.url);
    await using _ = { [Symbol.asyncDispose]: async () => reader.dispose() };
    await reader.connects.next();
    await send(gateway.url, ["a1"]);
    expect(await reader.contents.next()).toBe("a1");
    relay.cut();
    await send(gateway.url, ["a2", "a3"]);
    await reader.connects.next();
    await send(gateway.url, ["a4"]);
    for (const content of ["a2", "a3", "a4"]) expect(await reader.contents.next()).toBe(content);
  });

  test("comes back after a polite restart and gets what it missed, once", async () => {
    await using instances = await startInstances();
    const { one: staying, other: leaving } = instances;
    await using relay = await startRelay(leaving.url);
    const reader = follow(relay.url);
    await using _ = { [Symbol.asyncDispose]: async () => reader.dispose() };
    await reader.connects.next();
    await send(staying.url, ["a1"]);
    expect(await reader.contents.next()).toBe("a1");
    relay.redirect(Number(new URL(staying.url).port));
    await leaving.close();
    await send(staying.url, ["a2"]);
    await reader.connects.next();
    await send(staying.url, ["a3"]);
    for (const content of ["a2", "a3"]) expect(await reader.contents.next()).toBe(content);
  });
});
