/** `resumable` under the clients that people use: nothing missing, nothing twice, in order. */
import { resumable } from "graphql-chat-client";
import { createClient, type Client, type ClientOptions } from "graphql-ws";
import { describe, expect, onTestFinished, test } from "vitest";
import { send, sendAll } from "../support/chatting.ts";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { startGateway } from "../support/gateway.ts";
import { startRelay } from "../support/relay.ts";
import { startWorld } from "./world.ts";

const [, bob] = DEMO_USERS;

const DOCUMENT = `subscription Messages($chatId: ID, $after: String) {
  # messageAdded(after: $nothing) in a comment is no selection
  added: messageAdded(chatId: $chatId, after: $after) { id content cursor }
}`;

interface Added {
  readonly added: { readonly id: string; readonly content: string };
}

function stockClient(url: string, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    url,
    connectionParams: { token: "alice-token" },
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: (retries) => new Promise((resolve) => setTimeout(resolve, Math.min(retries, 5) * 20)),
    ...options,
  });
  onTestFinished(async () => {
    client.terminate();
    void (async () => client.dispose())().catch(() => undefined);
  });
  return client;
}

/** A subscription of a resumable client: what it has received, and how it ended. */
function follow(client: Client, variables: Record<string, unknown>, query = DOCUMENT) {
  const contents: string[] = [];
  const ended: unknown[] = [];
  const stop = client.subscribe<Added>(
    { query, variables },
    {
      next: ({ data }) => void contents.push(data?.added.content ?? ""),
      error: (error) => void ended.push(error),
      complete: () => void ended.push("completed"),
    },
  );
  return { contents, ended, stop };
}

/** Resolves when what the client has asked before has been taken. */
async function ready(client: Client): Promise<void> {
  for await (const _ of client.iterate({ query: "{ chats { id } }" }));
}

describe("a resumable client", () => {
  test("continues behind what it has, long after the gateway has forgotten it", async () => {
    await using gateway = await startGateway({ RESUME_WINDOW: "10" });
    await using relay = await startRelay(gateway.wsUrl);
    await using writer = connect(gateway.wsUrl, "bob-token");
    const after = await send(writer, gateway.api.demoChatId, "before");
    const { contents, ended } = follow(resumable(stockClient(relay.url)), { chatId: gateway.api.demoChatId, after });
    const expected: string[] = [];
    for (const round of [1, 2, 3]) {
      const words = Array.from({ length: 20 }, (_, index) => `${round}.${index}`);
      expected.push(...words);
      relay.cut();
      await sendAll(writer, gateway.api.demoChatId, words);
      await eventually(() => expect(contents).toEqual(expected));
    }
    expect(ended).toEqual([]);
  });

  test("loses nothing when a gateway without Redis is replaced", async () => {
    await using world = await startWorld();
    const { chatId, relay } = world;
    const after = await send(world.connect("bob-token"), chatId, "0");
    const { contents } = follow(resumable(stockClient(relay.url)), { chatId, after });
    await send(world.connect("bob-token"), chatId, "1");
    await eventually(() => expect(contents).toEqual(["1"]));
    await world.restart();
    await send(world.connect("bob-token"), chatId, "2");
    await eventually(() => expect(contents).toEqual(["1", "2"]));
  });

  test("shows a message once that comes again", async () => {
    await using gateway = await startGateway();
    await using relay = await startRelay(gateway.wsUrl);
    await using writer = connect(gateway.wsUrl, "bob-token");
    const client = stockClient(relay.url);
    const stock = follow(client, {}, DOCUMENT);
    const { contents } = follow(resumable(client), {}, DOCUMENT);
    await ready(client);
    await send(writer, gateway.api.demoChatId, "one");
    await eventually(() => expect([contents, stock.contents]).toEqual([["one"], ["one"]]));
    relay.cut();
    await send(writer, gateway.api.demoChatId, "two");
    await eventually(() => expect(contents.at(-1)).toBe("two"));
    expect(contents).toEqual(["one", "two"]);
  });

  test("starts again what its client has given up", async () => {
    await using world = await startWorld();
    const { chatId, relay } = world;
    const after = await send(world.connect("bob-token"), chatId, "0");
    // It gives up at the first loss of its connection.
    const client = resumable(stockClient(relay.url, { retryAttempts: 0 }));
    const messages = follow(client, { chatId, after });
    const typing = follow(
      client,
      { chatId },
      "subscription ($chatId: ID!) { typingChanged(chatId: $chatId) { isTyping } }",
    );
    const unknown = follow(client, { chatId });
    const receipts = follow(client, { chatId }, "subscription ($chatId: ID!) { readReceipt(chatId: $chatId) { id } }");
    await ready(client);
    await world.restart(async () => {
      world.api.data.addMessage({ chatId, senderId: bob.id, content: "1" });
      // Nobody could say what they have missed.
      await eventually(() =>
        expect([unknown.ended, receipts.ended]).toMatchObject([[{ code: 1012 }], [{ code: 1012 }]]),
      );
    });
    await send(world.connect("bob-token"), chatId, "2");
    await eventually(() => expect(messages.contents).toEqual(["1", "2"]));
    expect([messages.ended, typing.ended]).toEqual([[], []]);
    await client.dispose();
    await eventually(() => expect([messages.ended, typing.ended]).toEqual([["completed"], ["completed"]]));
  });

  test("ends while it waits for another attempt, and when the token is refused", async () => {
    await using gateway = await startGateway();
    await using relay = await startRelay(gateway.wsUrl);
    await using writer = connect(gateway.wsUrl, "bob-token");
    const chatId = gateway.api.demoChatId;
    const after = await send(writer, chatId, "0");
    const closed = Promise.withResolvers<unknown>();
    const client = resumable(stockClient(relay.url, { retryAttempts: 0, on: { closed: closed.resolve } }));
    const { ended, stop } = follow(client, { chatId, after });
    const iterated = client.iterate({ query: DOCUMENT, variables: { chatId, after } });
    await ready(client);
    relay.cut();
    await closed.promise;
    stop();
    expect(ended).toEqual(["completed"]);
    await iterated.return?.();
    await expect(iterated.next()).resolves.toEqual({ done: true, value: undefined });

    const refused = stockClient(relay.url, { retryAttempts: 0, connectionParams: { token: "nobody's" } });
    const stranger = follow(resumable(refused), { chatId, after });
    await eventually(() => expect(stranger.ended).toMatchObject([{ code: 4403, reason: "Token refused" }]));
  });

  test("iterates over the same, also where its client gives up", async () => {
    await using gateway = await startGateway();
    await using relay = await startRelay(gateway.wsUrl);
    await using writer = connect(gateway.wsUrl, "bob-token");
    const chatId = gateway.api.demoChatId;
    const after = await send(writer, chatId, "0");
    const messages = resumable(stockClient(relay.url, { retryAttempts: 0 })).iterate<Added>({
      query: DOCUMENT,
      variables: { chatId, after },
    });
    const next = async (): Promise<string | undefined> => {
      const { value } = (await messages.next()) as IteratorResult<{ readonly data?: Added }>;
      return (value as { readonly data?: Added } | undefined)?.data?.added.content;
    };
    await send(writer, chatId, "1");
    expect(await next()).toBe("1");
    relay.cut();
    await send(writer, chatId, "2");
    expect(await next()).toBe("2");
    await messages.return?.();
  });

  test("leaves other operations as they are", async () => {
    await using gateway = await startGateway();
    const client = resumable(stockClient(gateway.wsUrl));
    const results = [];
    for await (const result of client.iterate({ query: "{ me { name } }" })) results.push(result);
    expect(results).toEqual([{ data: { me: { name: "Alice Adams" } } }]);
  });
});
