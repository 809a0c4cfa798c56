/** What a client that asks for it is told of the state of its subscriptions, as payloads of the protocol's `ping`. */
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { createScene, OF_TEAM, send } from "../support/resume-scene.ts";
import { operationId, visit, type Visit } from "../support/returning-client.ts";

const [alice] = DEMO_USERS;
const { team } = DEMO_CHATS;

const ASKING = { connectionParams: { streamStates: true } };

/** What a client has received for its subscriptions: contents of messages, and payloads of pings. */
function received({ socket }: Visit): readonly unknown[] {
  return socket.messages
    .map((text) => JSON.parse(text) as { type: string; id?: string; payload?: { data?: { messageAdded?: Content } } })
    .flatMap(({ type, payload }): readonly unknown[] => {
      if (type === "ping") return [payload];
      const message = payload?.data?.messageAdded;
      return message ? [message.content] : [];
    });
}

interface Content {
  readonly content: string;
}

function live(name: string, start: string): object {
  return { subscription: { id: operationId(name), state: "live", start } };
}

describe("a subscription is live", () => {
  test("at once where it begins with what is new", async () => {
    await using scene = await createScene();
    await using client = await visit(scene.gateway.wsUrl, alice.token, ASKING);
    const messages = await client.follow("1", OF_TEAM);
    await send(scene.writer, ["a1"]);
    await messages.has("a1");
    expect(received(client)).toEqual([live("1", "new"), "a1"]);
  });

  test.each(["typingChanged", "presenceChanged", "readReceipt"])("of %s too", async (field) => {
    await using scene = await createScene();
    await using client = await visit(scene.gateway.wsUrl, alice.token, ASKING);
    await client.follow(field, { query: `subscription { ${field} { __typename } }` });
    expect(received(client)).toEqual([live(field, "new")]);
  });

  test("after the snapshot of a list of chats", async () => {
    await using scene = await createScene();
    await using client = await visit(scene.gateway.wsUrl, alice.token, ASKING);
    const query = "subscription { chatsChanged { isSnapshot changed { id } } }";
    await client.follow("chats", { query });
    await expect.poll(() => received(client)).toEqual([live("chats", "new")]);
    const before = client.socket.messages.slice(
      0,
      client.socket.messages.findIndex((text) => text.includes('"ping"')),
    );
    expect(before.some((text) => text.includes('"isSnapshot":true'))).toBe(true);
  });

  test("of one that is executed for its subscriber alone", async () => {
    await using scene = await createScene();
    await using client = await visit(scene.gateway.wsUrl, alice.token, ASKING);
    const query = `subscription { messageAdded(chatId: "${team}") { content sender { presence { online } } } }`;
    const messages = await client.follow("1", { query });
    await send(scene.writer, ["a1"]);
    await messages.has("a1");
    expect(received(client)).toEqual([live("1", "new"), "a1"]);
  });

  test("behind everything since its cursor", async () => {
    await using scene = await createScene();
    const { sendMessage } = await scene.writer.run(SendMessageDocument, { chatId: team, content: "a1" });
    await send(scene.writer, ["a2", "a3"]);
    await using client = await visit(scene.gateway.wsUrl, alice.token, ASKING);
    const query = `subscription ($after: String) { messageAdded(after: $after) { content } }`;
    const messages = await client.follow("1", { query, variables: { after: sendMessage.cursor } });
    await send(scene.writer, ["a4"]);
    await messages.has("a4");
    expect(received(client)).toEqual(["a2", "a3", live("1", "after"), "a4"]);
  });

  test("behind everything that a returning client has missed", async () => {
    await using scene = await createScene();
    await using first = await visit(scene.gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.drop();
    await send(scene.writer, ["a1", "a2"]);
    await using second = await visit(scene.gateway.wsUrl, alice.token, ASKING);
    const messages = await second.follow("1", OF_TEAM);
    await send(scene.writer, ["a3"]);
    await messages.has("a3");
    expect(received(second)).toEqual(["a1", "a2", live("1", "resumed"), "a3"]);
  });
});

test("an id is told as the client gave it", async () => {
  await using scene = await createScene();
  await using client = await visit(scene.gateway.wsUrl, alice.token, ASKING);
  const id = 'a "quoted" \\ id, and an é';
  await client.followAs(id, OF_TEAM);
  expect(received(client)).toEqual([{ subscription: { id, state: "live", start: "new" } }]);
});

test("a restart is announced with the time until the close", async () => {
  await using scene = await createScene({ DRAIN_WINDOW: "90" });
  await using asking = await visit(scene.gateway.wsUrl, alice.token, ASKING);
  await using other = await visit(scene.gateway.wsUrl, alice.token);
  void scene.gateway.close();
  expect([await asking.closed, await other.closed]).toEqual([1012, 1012]);
  // The writer's connection is the first of three, and has not asked.
  expect(received(asking)).toEqual([{ restarting: { inMs: 30 } }]);
  expect(received(other)).toEqual([]);
});

test.each([{}, { streamStates: false }, { streamStates: "true" }])(
  "a client with the parameters %j is told nothing",
  async (connectionParams) => {
    await using scene = await createScene();
    await using client = await visit(scene.gateway.wsUrl, alice.token, { connectionParams });
    const messages = await client.follow("1", OF_TEAM);
    await send(scene.writer, ["a1"]);
    await messages.has("a1");
    expect(received(client)).toEqual(["a1"]);
  },
);
