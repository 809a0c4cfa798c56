/** What is executed once for everybody over WebSocket is what each one's own execution over SSE gives. */
import * as fc from "fast-check";
import { parse, specifiedRules, validate } from "graphql";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildSchema } from "../../src/graphql/schema.ts";
import { connect, type TestClient } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import {
  openGraphQLSocket,
  type GraphQLSocket,
  type RawOperation,
  type RawResults,
} from "../support/graphql-socket.ts";
import { MarkReadDocument, SendMessageDocument, SetTypingDocument } from "../support/generated/graphql.ts";
import { openRawEventStream } from "../support/raw-event-stream.ts";
import { overHttp, type Runner } from "../support/runner.ts";
import { anySubscription, type RandomSubscription } from "./operations-arbitrary.ts";

const KINDS = ["messageAdded", "readReceipt", "typingChanged", "presenceChanged"] as const;
type Kind = (typeof KINDS)[number];

/** What happens: of one kind, in one of the viewer's chats or in one that is not. Presence is of no chat in particular. */
interface Happening {
  readonly kind: Kind;
  readonly chat: 0 | 1 | 2;
  readonly text: string;
}

const schema = buildSchema();
const closing = new AsyncDisposableStack();
let gateway: TestGateway;
/** Bob's, who reads; of the chats he is in the first two. */
let socket: GraphQLSocket;
let chatIds: readonly string[];
/** Hears of everything that Bob hears of. */
let controls: ReadonlyMap<Kind, RawResults>;
let alice: TestClient;
/** Carol over HTTP is not online by it. */
let carol: Runner;
let lastMessageId: Map<string, string>;
/** Take turns in typing and in coming and going: what one of them does often is published less often. */
let newcomers: readonly Newcomer[];
let turns = 0;

interface Newcomer {
  readonly token: string;
  readonly api: Runner;
  readonly typingIn: Set<string>;
  client: TestClient | undefined;
}

const NEWCOMERS = 20;

beforeAll(async () => {
  gateway = closing.use(
    await startGateway({
      TYPING_TIMEOUT: "600000",
      PRESENCE_GRACE: "0",
      MAX_SUBSCRIPTIONS: "1000",
      RATE_LIMIT_OPERATIONS: "100000/10s",
    }),
  );
  const [first, bob, third] = gateway.api.users;
  const { data } = gateway.api;
  const users = Array.from({ length: NEWCOMERS }, () => data.createUser({ name: 'Dave \u2028 "Ü" 🙂' }));
  newcomers = users.map(({ token }) => ({
    token,
    api: closing.use(overHttp(gateway.url, token)),
    typingIn: new Set<string>(),
    client: undefined,
  }));
  const ids = [first?.id ?? "", bob?.id ?? "", third?.id ?? ""].concat(users.map(({ id }) => id));
  chatIds = [data.createChat({ participants: ids }).id, data.createChat({ participants: ids }).id].concat(
    data.createChat({ participants: ids.filter((id) => id !== bob?.id) }).id,
  );
  alice = closing.use(connect(gateway.wsUrl, first?.token));
  await alice.acknowledged;
  carol = closing.use(overHttp(gateway.url, third?.token));
  socket = closing.use(await openGraphQLSocket(gateway.wsUrl, bob?.token));
  const control = closing.use(await openGraphQLSocket(gateway.wsUrl, bob?.token));
  controls = new Map(KINDS.map((kind) => [kind, control.start({ query: `subscription { ${kind} { __typename } }` })]));
  await control.run({ query: "{ chats { id } }" });
  // Alice is online, and that comes first.
  await controls.get("presenceChanged")?.next();
  lastMessageId = new Map();
  for (const chatId of chatIds) {
    const { sendMessage } = await alice.run(SendMessageDocument, { chatId, content: "first" });
    lastMessageId.set(chatId, sendMessage.id);
  }
  for (const _ of chatIds.slice(0, 2)) await controls.get("messageAdded")?.next();
});

afterAll(async () => {
  for (const { client } of newcomers) await client?.[Symbol.asyncDispose]();
  await closing.disposeAsync();
});

/** Resolves when everybody who is to hear of it has been told. */
async function happen({ kind, chat, text }: Happening): Promise<void> {
  const chatId = chatIds[chat] ?? "";
  if (kind === "messageAdded") {
    const { sendMessage } = await alice.run(SendMessageDocument, { chatId, content: text });
    lastMessageId.set(chatId, sendMessage.id);
  } else if (kind === "readReceipt") {
    await carol.run(MarkReadDocument, { chatId, messageId: lastMessageId.get(chatId) ?? "" });
  } else {
    // Who goes stops typing: every other one types, the others come and go.
    const turn = 2 * (turns++ % (NEWCOMERS / 2));
    const newcomer = newcomers[kind === "typingChanged" ? turn : turn + 1];
    if (!newcomer) throw new Error("nobody has the turn");
    if (kind === "typingChanged") await changeTyping(newcomer, chatId);
    else await changePresence(newcomer);
  }
  if (kind === "presenceChanged" || chat < 2) await controls.get(kind)?.next();
}

/** Whatever it was, it changes. */
async function changeTyping({ api, typingIn }: Newcomer, chatId: string): Promise<void> {
  const isTyping = !typingIn.delete(chatId);
  if (isTyping) typingIn.add(chatId);
  await api.run(SetTypingDocument, { chatId, isTyping });
}

async function changePresence(newcomer: Newcomer): Promise<void> {
  const { client } = newcomer;
  newcomer.client = client ? undefined : connect(gateway.wsUrl, newcomer.token);
  await client?.[Symbol.asyncDispose]();
  await newcomer.client?.acknowledged;
}

/** Whether a subscription to one chat, or to all, is told of it. */
function isFor(field: string, chatId: string | undefined, { kind, chat }: Happening): boolean {
  if (kind !== field) return false;
  if (kind === "presenceChanged") return true;
  return chatId === undefined ? chat < 2 : chatIds[chat] === chatId;
}

const anyText = fc.oneof(
  fc
    .string({ unit: "binary", minLength: 1, maxLength: 60 })
    .filter((text) => text.isWellFormed() && text.trim() !== ""),
  fc.integer({ min: 100, max: 9000 }).map((length) => "x".repeat(length)),
);
const anyHappening: fc.Arbitrary<Happening> = fc.record({
  kind: fc.constantFrom(...KINDS),
  chat: fc.constantFrom(0, 1, 2),
  text: anyText,
});

async function compare(random: RandomSubscription, happenings: readonly Happening[]): Promise<number> {
  const token = gateway.api.users[1]?.token;
  await using streams = new AsyncDisposableStack();
  const pairs = [];
  for (const { operation, chatId } of random.operations) {
    expect(validate(schema, parse(operation.query), specifiedRules)).toEqual([]);
    const stream = streams.use(await openRawEventStream(gateway.url, token, operation));
    pairs.push({ chatId, stream, results: socket.start(operation) });
  }
  await socket.run({ query: "{ chats { id } }" });
  // What is true already comes first, on either way.
  const snapshots = pairs.map(({ results }) => results.all.length);
  const barrier: Happening = { kind: random.field as Kind, chat: 0, text: "barrier" };
  const all = [...happenings, barrier, { ...barrier, chat: 1 as const }];
  for (const happening of all) await happen(happening);
  await socket.run({ query: "{ me { id } }" });
  let compared = 0;
  for (const [index, { chatId, stream, results }] of pairs.entries()) {
    const expected = all.filter((happening) => isFor(random.field, chatId, happening)).length;
    expect(results.all.length - (snapshots[index] ?? 0)).toBe(expected);
    const texts: string[] = [];
    while (texts.length < results.all.length) texts.push(await stream.next());
    expect(texts).toEqual(results.all);
    expect(stream.waiting).toBe(0);
    compared += texts.length;
    stop(results);
  }
  return compared;
}

function stop({ id }: RawResults): void {
  socket.socket.send(JSON.stringify({ id, type: "complete" }));
}

test("any subscription gets the same bytes over WebSocket as over SSE, for the same events in the same order", async () => {
  let compared = 0;
  const features = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      anySubscription(schema, chatIds.slice(0, 2)),
      fc.array(anyHappening, { minLength: 1, maxLength: 6 }),
      async (random, happenings) => {
        compared += await compare(random, happenings);
        for (const { operation } of random.operations) note(operation, features);
      },
    ),
    { numRuns: 100, seed: 20_260_131 },
  );
  expect(compared).toBeGreaterThan(300);
  expect([...features].toSorted(), "what the documents were made of").toEqual([...FEATURES.keys()].toSorted());
});

/** What has to have been among the random documents. */
const FEATURES: ReadonlyMap<string, (operation: RawOperation) => boolean> = new Map<
  string,
  (operation: RawOperation) => boolean
>([
  ["alias", ({ query }) => query.includes("again_")],
  ["alias of the root field", ({ query }) => query.includes("alias: ")],
  ["inline fragment", ({ query }) => /\.\.\.( on \w+)? ?[@{]/.test(query)],
  ["named fragment", ({ query }) => query.includes("fragment ")],
  ["skip by a variable", ({ query }) => query.includes("@skip(if: $")],
  ["include by a literal", ({ query }) => /@include\(if: (true|false)\)/.test(query)],
  ["several operations", ({ query }) => query.includes("Operation1")],
  ["an operation's name", ({ operationName }) => operationName !== undefined],
  ["no operation's name", ({ operationName }) => operationName === undefined],
  ["__typename", ({ query }) => query.includes("__typename")],
  ["a default used", ({ query, variables }) => query.includes("$defaulted:") && variables?.["defaulted"] === undefined],
  ["a default not used", ({ query, variables }) => query.includes("$strict:") && variables?.["strict"] !== undefined],
  [
    "a chat by variable",
    ({ query, variables }) => query.includes("chatId: $chatId") && typeof variables?.["chatId"] === "string",
  ],
  ["a chat by literal", ({ query }) => query.includes('chatId: "')],
  ["no chat", ({ query }) => !query.includes("(chatId:")],
  ["a value that no variable is for", ({ variables }) => variables?.["unused"] !== undefined],
]);

function note(operation: RawOperation, features: Set<string>): void {
  for (const [name, has] of FEATURES) if (has(operation)) features.add(name);
}
