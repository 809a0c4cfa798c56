/** Every end of a session, in every state in which it may find a connection. */
import { describe, expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { codesOf, postOperation } from "../support/http.ts";
import {
  CLOSED,
  alice,
  bob,
  CHATS,
  deafen,
  messages,
  nextContent,
  RECHECK_INTERVAL_MS,
  send,
  startScene,
  team,
  type Scene,
  type SessionClient,
} from "./scene.ts";

const LIFETIME_MS = 10_000;

interface End {
  /** The claims of the token that the session begins with; an opaque one where absent. */
  readonly claims?: (scene: Scene) => object;
  readonly happen: (scene: Scene, token: string) => Promise<unknown> | void;
  readonly closed: (typeof CLOSED)[keyof typeof CLOSED];
  /** Whether the REST API refuses the token from then on. */
  readonly isRefused: boolean;
  /** Whether it ends the sessions of the user's other tokens as well. */
  readonly isOfUser: boolean;
}

const ENDS: readonly (readonly [string, End])[] = [
  [
    "its token expires",
    {
      claims: ({ clock }) => ({ exp: (clock.now() + LIFETIME_MS) / 1000 }),
      happen: ({ clock }) => clock.advance(LIFETIME_MS),
      closed: CLOSED.tokenExpired,
      isRefused: false,
      isOfUser: false,
    },
  ],
  [
    "the REST API refuses its token a request",
    {
      async happen(scene, token) {
        scene.api.data.revokeToken(token);
        const { errors } = await postOperation(scene.url, CHATS, token);
        expect(codesOf(errors)).toEqual(["UNAUTHENTICATED"]);
      },
      closed: CLOSED.tokenRefused,
      isRefused: true,
      isOfUser: false,
    },
  ],
  [
    "the REST API refuses its token when asked again",
    {
      happen({ api, clock }, token) {
        api.data.revokeToken(token);
        clock.advance(RECHECK_INTERVAL_MS);
      },
      closed: CLOSED.tokenRefused,
      isRefused: true,
      isOfUser: false,
    },
  ],
  [
    "the backend says that its user has signed out",
    {
      happen: (scene) => scene.tell({ type: "user.signed_out", data: { userId: alice.id } }),
      closed: CLOSED.signedOut,
      isRefused: false,
      isOfUser: true,
    },
  ],
];

/** What the session's connection, or the user's others, are at. */
interface State {
  /** Clients whose sessions end too. */
  readonly ended?: readonly SessionClient[];
  /** Clients whose sessions are other ones. */
  readonly others?: readonly SessionClient[];
  /** What was under way is done now. Resolves to what others get of it. */
  readonly finish?: () => readonly string[];
  /** What the client is told where it is not the end of its session. */
  readonly closed?: { readonly code: number; readonly reason: string };
}

type Prepare = (scene: Scene, client: SessionClient, token: string, end: End) => Promise<State>;

const STATES: readonly (readonly [string, Prepare])[] = [
  ["idle", async () => ({})],
  [
    "subscribed",
    async (_scene, client) => {
      client.start(messages());
      client.start(messages(team));
      await client.run(CHATS);
      return {};
    },
  ],
  [
    "waiting for a mutation that the REST API is at",
    async ({ api }, client, token, { isRefused }) => {
      const gate = api.faults.hold({ method: "POST", token });
      client.start(send(team, "in flight"));
      await gate.arrived();
      return {
        finish() {
          gate.release();
          return isRefused ? [] : ["in flight"];
        },
      };
    },
  ],
  [
    "being closed for another reason, and deaf to it",
    async (_scene, client) => {
      client.start(messages());
      await client.run(CHATS);
      const told = deafen(client.socket);
      client.socket.send("nonsense");
      await told;
      return { closed: { code: 4400, reason: "Invalid message received" } };
    },
  ],
  [
    "one of two with this token",
    async (scene, _client, token) => {
      const device = await scene.open(token);
      device.start(messages());
      await device.run(CHATS);
      return { ended: [device] };
    },
  ],
  [
    "one of two of the user, with another token each",
    async (scene, _client, _token, { isOfUser }) => {
      const device = await scene.open(scene.issue(alice.id));
      device.start(messages());
      await device.run(CHATS);
      return { [isOfUser ? "ended" : "others"]: [device] };
    },
  ],
];

describe.each(ENDS)("where %s, a connection", (_end, end) => {
  test.each(STATES)("that is %s is closed, and nothing more is delivered or done", async (_state, prepare) => {
    await using scene = await startScene();
    await using clients = new AsyncDisposableStack();
    const token = scene.issue(alice.id, end.claims?.(scene));
    const client = clients.use(await scene.open(token));
    const control = clients.use(await scene.open(bob.token));
    const controlled = control.start(messages(team));
    await control.run(CHATS);
    const { ended = [], others = [], finish, closed = end.closed } = await prepare(scene, client, token, end);
    for (const other of [...ended, ...others]) clients.use(other);
    const gone = [client, ...ended];
    const before = gone.map((each) => each.messages.length);
    const writes = scene.writes(token);

    const told = closed === end.closed ? gone.map((each) => deafen(each.socket)) : [];
    await end.happen(scene, token);
    await Promise.all(told);
    for (const each of gone) {
      each.socket.send(JSON.stringify({ id: "late", type: "subscribe", payload: send(team, "late") }));
      each.transport.end();
    }
    for (const each of ended) expect(await each.closed).toEqual(end.closed);
    expect(await client.closed).toEqual(closed);

    for (const content of finish?.() ?? []) expect(await nextContent(controlled)).toBe(content);
    await control.run(send(team, "barrier"));
    expect(await nextContent(controlled)).toBe("barrier");
    expect(gone.map((each) => each.messages.length)).toEqual(before);
    expect(scene.writes(token)).toBe(writes);
    for (const other of others) await other.run(send(team, "still here"));
  });
});

test.each(ENDS)(
  "a stock client whose session ends because %s comes back with the next token by itself",
  async (_end, end) => {
    await using scene = await startScene();
    const first = scene.issue(alice.id, end.claims?.(scene));
    const next = scene.issue(alice.id);
    const tokens = [first, next];
    await using control = connect(scene.wsUrl, bob.token);
    await using controlled = control.subscribe(MessageAddedDocument);
    await control.run(ChatsDocument);
    await using client = connect(scene.wsUrl, undefined, {
      connectionParams: () => ({ token: tokens.shift() }),
      retryAttempts: 1,
      retryWait: async () => undefined,
    });
    await using received = client.subscribe(MessageAddedDocument);
    await client.run(ChatsDocument);
    await end.happen(scene, first);
    expect(await client.closed).toEqual(end.closed);
    // Its subscription is begun anew before it asks for anything else.
    await client.run(ChatsDocument);
    expect(scene.api.faults.requests.count({ token: next, path: "/auth/profile" })).toBe(1);
    const { sendMessage } = await control.run(SendMessageDocument, { chatId: team, content: "welcome back" });
    expect((await received.next()).messageAdded).toEqual(sendMessage);
    expect((await controlled.next()).messageAdded).toEqual(sendMessage);
  },
);
