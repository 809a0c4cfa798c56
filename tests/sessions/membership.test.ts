/** A membership that begins or ends while its user is connected: the session goes on, what it is given changes at once. */
import { describe, expect, test } from "vitest";
import type { User } from "../../src/chat/model.ts";
import { watchServerSockets } from "../support/server-sockets.ts";
import {
  alice,
  bob,
  carol,
  chatOf,
  CHATS,
  EASILY_LAGGING,
  deafen,
  messages,
  nextContent,
  pair,
  RECHECK_INTERVAL_MS,
  send,
  shop,
  startScene,
  team,
  type Scene,
  type SessionClient,
} from "./scene.ts";

const NOT_PARTICIPANT = [
  { message: "You are not a participant of this chat.", extensions: { code: "NOT_PARTICIPANT" } },
];

const RECEIPTS = "subscription ($chatId: ID) { readReceipt(chatId: $chatId) { chatId reader { id } } }";
const TYPING = "subscription ($chatId: ID) { typingChanged(chatId: $chatId) { chatId user { id } } }";
const PRESENCE = "subscription ($chatId: ID) { presenceChanged(chatId: $chatId) { user { id } online } }";

/** Alice is removed from the team. */
function updated(members: readonly User[]) {
  return { type: "chat.updated", data: { chat: chatOf(team, members) } } as const;
}

/** How the gateway comes to know. Resolves when it does. */
const DISCOVERIES: readonly (readonly [string, (scene: Scene, token: string) => Promise<void>])[] = [
  ["by an event", (scene) => scene.tell(updated([bob, carol]))],
  [
    "when the REST API is asked again",
    async ({ api, clock }, token) => {
      const again = { path: "/chats", token };
      const before = api.faults.requests.count(again);
      clock.advance(RECHECK_INTERVAL_MS);
      await api.faults.requests.arrived(before + 1, again);
    },
  ],
];

interface State {
  readonly clients?: readonly SessionClient[];
  readonly finish?: () => Promise<void>;
}

type Prepare = (scene: Scene, client: SessionClient, token: string) => Promise<State>;

const STATES: readonly (readonly [string, Prepare])[] = [
  ["is idle otherwise", async () => ({})],
  [
    "waits for a mutation that the REST API is at",
    async ({ api }, client, token) => {
      const gate = api.faults.hold({ method: "POST", token });
      const result = client.start(send(team, "in flight"));
      await gate.arrived();
      return {
        async finish() {
          gate.release();
          const { errors } = JSON.parse(await result.next()) as { errors: unknown };
          expect(errors).toMatchObject([{ extensions: { code: "NOT_PARTICIPANT" } }]);
        },
      };
    },
  ],
  ["is one of two with this token", async (scene, _client, token) => ({ clients: [await scene.open(token)] })],
  [
    "is one of two of the user, with another token each",
    async (scene) => ({ clients: [await scene.open(scene.issue(alice.id))] }),
  ],
];

describe.each(DISCOVERIES)("where a member was removed from a chat, known %s, a connection", (_how, discover) => {
  test.each(STATES)("that %s goes on without the chat", async (_state, prepare) => {
    await using scene = await startScene();
    await using stack = new AsyncDisposableStack();
    const token = scene.issue(alice.id);
    const client = stack.use(await scene.open(token));
    const control = stack.use(await scene.open(bob.token));
    const controlled = control.start(messages(team));
    await control.run(CHATS);
    const { clients = [], finish } = await prepare(scene, client, token);
    for (const other of clients) stack.use(other);
    const all = [client, ...clients].map((each) => ({
      each,
      ofTeam: each.start(messages(team)),
      ofShop: each.start(messages(shop)),
      ofAll: each.start(messages()),
    }));
    await Promise.all(all.map(({ each }) => each.run(CHATS)));

    scene.api.data.removeMember(team, alice.id);
    await discover(scene, token);
    for (const { ofTeam } of all) expect(await ofTeam.ended).toMatchObject(NOT_PARTICIPANT);
    await control.run(send(team, "a secret"));
    expect(await nextContent(controlled)).toBe("a secret");
    await finish?.();
    await control.run(send(shop, "barrier"));
    for (const { each, ofTeam, ofShop, ofAll } of all) {
      expect(await nextContent(ofShop)).toBe("barrier");
      expect(await nextContent(ofAll)).toBe("barrier");
      expect(ofTeam.all).toEqual([]);
      await expect(each.run(send(team, "late"))).rejects.toThrow("NOT_PARTICIPANT");
      await each.run(send(shop, "still here"));
    }
  });

  test("that is being closed already, and deaf to it, gets nothing more", async () => {
    await using scene = await startScene();
    await using client = await scene.open(alice.token);
    await using control = await scene.open(bob.token);
    const controlled = control.start(messages());
    client.start(messages());
    client.start(messages(team));
    await Promise.all([control, client].map((each) => each.run(CHATS)));
    const told = deafen(client.socket);
    client.socket.send("nonsense");
    await told;
    const before = client.messages.length;
    scene.api.data.removeMember(team, alice.id);
    await discover(scene, alice.token);
    await control.run(send(team, "a secret"));
    await control.run(send(shop, "barrier"));
    for (const content of ["a secret", "barrier"]) expect(await nextContent(controlled)).toBe(content);
    client.transport.end();
    expect(await client.closed).toMatchObject({ code: 4400 });
    expect(client.messages).toHaveLength(before);
  });
});

describe("from the moment of a removal, and in the same turn, nothing of the chat comes to a subscription", () => {
  /** Carol's subscriptions, after she was removed from the team and everything went on there and in a chat with Bob. */
  async function removeCarol(scene: Scene, clients: AsyncDisposableStack, chatId: string | undefined) {
    const client = clients.use(await scene.open(carol.token));
    const other = clients.use(await scene.open(alice.token));
    const control = clients.use(await scene.open(bob.token));
    const queries = [messages().query, RECEIPTS, TYPING, PRESENCE];
    const started = queries.map((query) => client.start({ query, variables: { chatId } }));
    const controlled = queries.slice(0, 2).map((query) => control.start({ query, variables: { chatId: team } }));
    await Promise.all([client, control, other].map((each) => each.run(CHATS)));
    const before = started.map(({ all }) => all.length);

    const createdAt = new Date().toISOString();
    const message = { id: "m1", chatId: team, senderId: bob.id, senderName: bob.name, content: "a secret", createdAt };
    await scene.tellAtOnce(
      updated([alice, bob]),
      { type: "message.created", data: { message } },
      { type: "message.read", data: { chatId: team, userId: bob.id, readAt: createdAt } },
    );
    for (const results of controlled) await results.next();
    await other.run({ query: `mutation { setTyping(chatId: "${team}", isTyping: true) { isTyping } }` });
    other.socket.close();
    await other.closed;
    await control.run(send(pair, "barrier"));
    await control.run({ query: `mutation { markChatRead(chatId: "${pair}") { readAt } }` });
    await control.run({ query: `mutation { setTyping(chatId: "${pair}", isTyping: true) { isTyping } }` });
    await client.run(CHATS);
    return { started, received: () => started.map(({ all }, index) => all.slice(before[index])) };
  }

  test("to that chat, which ends", async () => {
    await using scene = await startScene({ TYPING_TIMEOUT: "600000" });
    await using clients = new AsyncDisposableStack();
    const { started, received } = await removeCarol(scene, clients, team);
    for (const { ended } of started) expect(await ended).toMatchObject(NOT_PARTICIPANT);
    expect(received()).toEqual([[], [], [], []]);
  });

  test("to all chats, which goes on", async () => {
    await using scene = await startScene({ TYPING_TIMEOUT: "600000" });
    await using clients = new AsyncDisposableStack();
    const { received } = await removeCarol(scene, clients, undefined);
    expect(received()).toEqual([
      [expect.stringContaining("barrier")],
      [expect.stringContaining(pair)],
      [expect.stringContaining(pair)],
      // The query at the end finds her in the chat again, and with her somebody who has gone meanwhile.
      [expect.stringContaining('"online":false')],
    ]);
  });
});

describe("somebody who is added to a chat", () => {
  const added = { type: "chat.updated", data: { chat: chatOf(shop, [alice, bob, carol]) } } as const;

  test("gets on running subscriptions to all chats what happens in the same turn", async () => {
    await using scene = await startScene();
    await using client = await scene.open(carol.token);
    await using device = await scene.open(carol.token);
    await using control = await scene.open(bob.token);
    const controlled = control.start(messages());
    const received = [client, device].flatMap((each) => [each.start(messages()), each.start({ query: RECEIPTS })]);
    await Promise.all([client, device, control].map((each) => each.run(CHATS)));
    const createdAt = new Date().toISOString();
    const message = { id: "m1", chatId: shop, senderId: bob.id, senderName: bob.name, content: "welcome", createdAt };
    const unseen = { ...message, id: "m0", content: "not for Carol" };
    await scene.tellAtOnce(
      { type: "message.created", data: { message: unseen } },
      added,
      { type: "message.created", data: { message } },
      { type: "message.read", data: { chatId: shop, userId: bob.id, readAt: createdAt } },
    );
    for (const content of ["not for Carol", "welcome"]) expect(await nextContent(controlled)).toBe(content);
    const payloads = await Promise.all(received.map((results) => results.next()));
    for (const payload of [payloads[0], payloads[2]]) expect(payload).toContain("welcome");
    for (const payload of [payloads[1], payloads[3]]) expect(payload).toContain(shop);
  });

  test("is told who is typing there and who is online", async () => {
    await using scene = await startScene({ TYPING_TIMEOUT: "600000" });
    // Carol shares no chat with Alice but the team, and with nobody of another one.
    const dave = scene.api.data.createUser({ name: "Dave" });
    const { id: chatId } = scene.api.data.createChat({ participants: [alice.id, bob.id] });
    await using client = await scene.open(dave.token);
    await using typist = await scene.open(alice.token);
    await using control = await scene.open(bob.token);
    const ofTyping = client.start({ query: TYPING });
    const ofPresence = client.start({ query: PRESENCE });
    const controlled = control.start({ query: TYPING });
    await Promise.all([client, control].map((each) => each.run(CHATS)));
    await typist.run({ query: `mutation { setTyping(chatId: "${chatId}", isTyping: true) { isTyping } }` });
    expect(await controlled.next()).toContain(chatId);
    await scene.tell({ type: "chat.updated", data: { chat: chatOf(chatId, [alice, bob, dave]) } });
    expect(JSON.parse(await ofTyping.next())).toEqual({ data: { typingChanged: { chatId, user: { id: alice.id } } } });
    const online = [await ofPresence.next(), await ofPresence.next()].join(" ");
    for (const { id } of [alice, bob]) expect(online).toContain(id);
  });
});

describe("a membership that has ended is no way in any more", () => {
  test("where it was known to the gateway a moment ago", async () => {
    await using scene = await startScene();
    await using client = await scene.open(alice.token);
    await using control = await scene.open(bob.token);
    const { id: chatId } = scene.api.data.createChat({ participants: [alice.id, bob.id] });
    const controlled = control.start(messages(chatId));
    // What asks the REST API for the chat.
    await client.run({ query: `mutation { setTyping(chatId: "${chatId}", isTyping: false) { isTyping } }` });
    scene.api.data.removeMember(chatId, alice.id);
    await scene.tell({ type: "chat.updated", data: { chat: chatOf(chatId, [bob]) } });
    const refused = client.start(messages(chatId));
    expect(await refused.ended).toMatchObject(NOT_PARTICIPANT);
    const typing = client.run({ query: `mutation { setTyping(chatId: "${chatId}", isTyping: true) { isTyping } }` });
    await expect(typing).rejects.toThrow("NOT_PARTICIPANT");
    await control.run(send(chatId, "a secret"));
    expect(await nextContent(controlled)).toBe("a secret");
    await client.run(CHATS);
    expect(refused.all).toEqual([]);
  });

  test("where the REST API had said so before it ended, and its answer arrives after", async () => {
    await using scene = await startScene();
    await using client = await scene.open(alice.token);
    await using control = await scene.open(bob.token);
    const { id: chatId } = scene.api.data.createChat({ participants: [alice.id, bob.id] });
    using gate = scene.api.faults.hold({ path: `/chats/${chatId}`, token: alice.token, when: "processed", times: 1 });
    const refused = client.start(messages(chatId));
    await gate.arrived();
    const controlled = control.start(messages(chatId));
    await control.run(CHATS);
    scene.api.data.removeMember(chatId, alice.id);
    await scene.tell({ type: "chat.updated", data: { chat: chatOf(chatId, [bob]) } });
    gate.release();
    expect(await refused.ended).toMatchObject(NOT_PARTICIPANT);
    await control.run(send(chatId, "a secret"));
    expect(await nextContent(controlled)).toBe("a secret");
    await client.run(CHATS);
    expect(refused.all).toEqual([]);
  });
});

test("a reader that lags and is removed from a chat is not caught up with it", async () => {
  using servers = watchServerSockets();
  await using scene = await startScene(EASILY_LAGGING);
  await using slow = await scene.open(carol.token);
  await using control = await scene.open(bob.token);
  const received = slow.start(messages());
  const controlled = control.start(messages());
  await Promise.all([slow, control].map((each) => each.run(CHATS)));
  const server = servers.of(slow.transport);
  slow.socket.pause();
  const post = async (chatId: string, content: string): Promise<void> => {
    await control.run(send(chatId, content));
    expect(await nextContent(controlled)).toBe(content);
  };
  while (server.writableLength <= 16_384) await post(team, "x".repeat(100_000));
  await post(team, "missed");
  await post(pair, "missed elsewhere");
  await scene.tell(updated([alice, bob]));
  await post(team, "a secret");
  await post(pair, "barrier");
  slow.socket.resume();
  const contents: string[] = [];
  while (contents.at(-1) !== "barrier") contents.push(await nextContent(received));
  expect(contents.filter((content) => content.length < 100)).toEqual(["missed elsewhere", "barrier"]);
});
