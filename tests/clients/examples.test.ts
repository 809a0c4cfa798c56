import { describe, expect, test } from "vitest";
import { openChat as openWithApollo } from "../../examples/apollo.ts";
import type { Chat, ChatListener, ChatOptions, ShownMessage } from "../../examples/chat.ts";
import { openChat as openWithGraphqlWs } from "../../examples/graphql-ws.ts";
import { connectSocket } from "../../examples/socket.ts";
import { openChat as openWithUrql } from "../../examples/urql.ts";
import { DEMO_CHATS } from "../../src/dev/seed.ts";
import { send, sendAll } from "../support/chatting.ts";
import { connect } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MarkChatReadDocument,
  PresenceChangedDocument,
  SendMessageDocument,
  SetTypingDocument,
} from "../support/generated/graphql.ts";
import { startPonglessServer } from "../support/pongless-server.ts";
import { Queue } from "../support/queue.ts";
import { startRelay } from "../support/relay.ts";
import { connectGraphqlWs } from "./stock-clients.ts";

/** A port that nothing listens on. */
const NOWHERE = 1;

const PATIENT = { TYPING_TIMEOUT: "600000", PRESENCE_GRACE: "600000" };

const EXAMPLES = [
  { name: "graphql-ws", openChat: openWithGraphqlWs, failed: ["Hello? (failed)"] },
  { name: "Apollo Client", openChat: openWithApollo, failed: [] },
  { name: "urql", openChat: openWithUrql, failed: ["Hello? (failed)"] },
] as const;

function label(content: string, state: ShownMessage["state"]): string {
  return state === "sent" ? content : `${content} (${state})`;
}

/** An open chat, and what its screen shows. */
async function open(openChat: (options: ChatOptions) => Promise<Chat>, options: Omit<ChatOptions, "listener">) {
  let shown: readonly ShownMessage[] = [];
  const events = new Queue<unknown>();
  const listener: ChatListener = {
    messages: (messages) => (shown = messages),
    receipt: ({ messageId, reader }) => events.push({ messageId, reader: reader.name }),
    typing: ({ user, isTyping }) => events.push({ user: user.name, isTyping }),
    presence: ({ user, online }) => events.push({ user: user.name, online }),
    ended: (code) => events.push({ code }),
  };
  const chat = await openChat({ ...options, listener });
  return {
    send: (content: string, clientMessageId?: string) => chat.send(content, clientMessageId),
    events,
    /** Resolves when the last messages are these: of each its content, and its state where it is not sent. */
    showing: (...last: string[]) =>
      eventually(() =>
        expect(shown.slice(-last.length).map(({ content, state }) => label(content, state))).toEqual(last),
      ),
    keys: () => shown.map(({ key }) => key),
    [Symbol.asyncDispose]: () => chat.close(),
  };
}

const LAST = "Looking forward to it.";

describe.each(EXAMPLES)("the example with $name", ({ openChat, failed }) => {
  test("shows a chat, and what happens in it", async () => {
    await using gateway = await startGateway(PATIENT);
    const { demoChatId: chatId } = gateway.api;
    await using chat = await open(openChat, { url: gateway.url, token: () => "alice-token", chatId });
    await chat.showing("First draft of the poster is done, I will bring it on Monday.", LAST);
    await using friend = connect(gateway.wsUrl, "bob-token");
    expect(await chat.events.next()).toEqual({ user: "Bob Brown", online: true });
    await friend.run(SetTypingDocument, { chatId, isTyping: true });
    expect(await chat.events.next()).toEqual({ user: "Bob Brown", isTyping: true });
    await friend.run(SendMessageDocument, { chatId, content: "Is it dry?" });
    await chat.showing(LAST, "Is it dry?");
    expect(await chat.events.next()).toEqual({ user: "Bob Brown", isTyping: false });
    await friend.run(MarkChatReadDocument, { chatId });
    expect(await chat.events.next()).toEqual({ messageId: null, reader: "Bob Brown" });
  });

  test("shows a message at once, and once, whatever becomes of it", async () => {
    await using gateway = await startGateway({ HTTP_API_RETRIES: "1" });
    const { demoChatId: chatId, faults } = gateway.api;
    await using chat = await open(openChat, { url: gateway.url, token: () => "alice-token", chatId });
    await chat.showing(LAST);
    const gate = faults.hold({ method: "POST", times: 1 });
    const sent = chat.send("Are you at the pier?", "my-first");
    await chat.showing(LAST, "Are you at the pier? (sending)");
    expect(chat.keys().at(-1)).toBe("my-first");
    gate.release();
    await sent;
    await chat.showing(LAST, "Are you at the pier?");
    expect(chat.keys().at(-1)).toBe("my-first");

    faults.loseResponse({ method: "POST", times: 1 });
    await expect(chat.send("Hello?", "my-second")).rejects.toThrow(Error);
    await chat.showing("Are you at the pier?", ...failed);
    await chat.send("Hello?", "my-second");
    await chat.showing("Are you at the pier?", "Hello?");
    expect(chat.keys().slice(-2)).toEqual(["my-first", "my-second"]);
  });

  test("says with its code that somebody may not be there", async () => {
    await using gateway = await startGateway();
    const ended = new Queue<unknown>();
    const listener = {
      messages() {},
      receipt() {},
      typing() {},
      presence() {},
      ended: (code: unknown) => ended.push(code),
    };
    const options = { url: gateway.url, token: () => "alice-token", chatId: DEMO_CHATS.pair, listener };
    await expect(openChat(options)).rejects.toThrow(Error);
    expect(await ended.next()).toBe("NOT_PARTICIPANT");
  });
});

test("after a cut the examples come back by themselves, with what they have missed", async () => {
  await using gateway = await startGateway(PATIENT);
  const chatId = gateway.api.demoChatId;
  await using relay = await startRelay(gateway.url);
  await using friend = connect(gateway.wsUrl, "bob-token");
  await friend.run(SetTypingDocument, { chatId, isTyping: true });
  await using opened = new AsyncDisposableStack();
  const options = { url: relay.url, token: () => "alice-token", chatId };
  const chats = await Promise.all(EXAMPLES.map(async ({ openChat }) => opened.use(await open(openChat, options))));
  const present = [
    { user: "Bob Brown", isTyping: true },
    { user: "Bob Brown", online: true },
  ];
  for (const { events } of chats) {
    expect([await events.next(), await events.next()]).toEqual(expect.arrayContaining(present));
  }

  relay.redirect(NOWHERE);
  relay.cut();
  await friend.run(SendMessageDocument, { chatId, content: "While you were away" });
  await friend.run(SetTypingDocument, { chatId, isTyping: true });
  relay.redirect(Number(new URL(gateway.url).port));
  await Promise.all(chats.map((chat) => chat.showing(LAST, "While you were away")));
  for (const { events } of chats) {
    expect([await events.next(), await events.next()]).toEqual(expect.arrayContaining(present));
  }
  await friend.run(SendMessageDocument, { chatId, content: "Welcome back" });
  await Promise.all(chats.map((chat) => chat.showing("While you were away", "Welcome back")));
});

describe.each(EXAMPLES)("the example with $name shows everything", ({ openChat }) => {
  const MISSED = Array.from({ length: 80 }, (_, index) => `missed ${index}`);

  test.each([
    { meanwhile: "a long absence from a quiet chat", REPLAY_LIMIT: "1000", shown: [LAST, ...MISSED, "live"] },
    { meanwhile: "an absence in which too much was missed", REPLAY_LIMIT: "10", shown: [...MISSED.slice(-50), "live"] },
  ])("after $meanwhile", async ({ REPLAY_LIMIT, shown }) => {
    await using gateway = await startGateway({ ...PATIENT, RESUME_WINDOW: "10", REPLAY_LIMIT });
    const chatId = gateway.api.demoChatId;
    await using relay = await startRelay(gateway.url);
    await using friend = connect(gateway.wsUrl, "bob-token");
    await friend.acknowledged;
    await using chat = await open(openChat, { url: relay.url, token: () => "alice-token", chatId });
    await chat.showing(LAST);
    // Each subscription has begun.
    expect(await chat.events.next()).toEqual({ user: "Bob Brown", online: true });
    relay.redirect(NOWHERE);
    relay.cut();
    await sendAll(friend, chatId, MISSED);
    relay.redirect(Number(new URL(gateway.url).port));
    await chat.showing(...MISSED.slice(-1));
    expect(await chat.events.next()).toEqual({ user: "Bob Brown", online: true });
    await send(friend, chatId, "live");
    await chat.showing(...shown);
    await friend.run(MarkChatReadDocument, { chatId });
    expect(await chat.events.next()).toEqual({ messageId: null, reader: "Bob Brown" });
  });
});

test("a connection that has fallen silent is replaced, and the one beside it stays", async () => {
  await using gateway = await startGateway(PATIENT);
  await using relay = await startRelay(gateway.url);
  await using friend = connect(gateway.wsUrl, "bob-token");
  await friend.acknowledged;
  await using client = connectGraphqlWs(
    connectSocket({ url: relay.url, token: () => "alice-token", keepAliveMs: 200 }),
  );
  const presence = client.subscribe(PresenceChangedDocument);
  expect((await presence.next()).presenceChanged.user.name).toBe("Bob Brown");

  const { accepted } = relay;
  relay.freeze();
  await eventually(() => expect(relay.accepted).toBeGreaterThan(accepted));
  relay.thaw();
  expect((await presence.next()).presenceChanged.user.name).toBe("Bob Brown");
  await expect(friend.run(ChatsDocument)).resolves.toBeDefined();
});

test("a connection that falls silent after something else has arrived, and before the pong, is replaced", async () => {
  await using server = await startPonglessServer();
  await using client = connectGraphqlWs(
    connectSocket({ url: server.url, token: () => "alice-token", keepAliveMs: 200 }),
  );
  client.subscribe(PresenceChangedDocument);
  await server.acknowledged.next();
  await expect(server.acknowledged.next()).resolves.toBe(true);
});
