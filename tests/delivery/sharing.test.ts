/** Equal subscriptions share one execution and one serialisation of each event. */
import { randomUUID } from "node:crypto";
import {
  buildSchema as buildSdl,
  OperationTypeNode,
  parse,
  validate,
  type GraphQLObjectType,
  type GraphQLSchema,
} from "graphql";
import { pino } from "pino";
import { afterEach, describe, expect, test, vi } from "vitest";
import { METRIC_PREFIX } from "../../src/server/admin/metrics.ts";
import { Directory } from "../../src/chat/directory.ts";
import { FairTurns } from "../../src/fair-turns.ts";
import { Counts } from "../../src/measures.ts";
import type { ReplaySource, StartOutcome } from "../../src/recovery/past.ts";
import type { MessageCreated } from "../../src/chat/events/message-created.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import { Session } from "../../src/chat/session.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";
import { DurableStream } from "../../src/fanout/durable-stream.ts";
import type { Caller } from "../../src/graphql/caller.ts";
import type { Operation } from "../../src/graphql/context.ts";
import type { Services } from "../../src/graphql/services.ts";
import { unlimitedOperations } from "../support/unlimited-operations.ts";
import { OperationContext } from "../../src/graphql/operation-context.ts";
import { Operations, type OperationRequest, type SharedSubscription } from "../../src/graphql/operations.ts";
import { buildSchema } from "../../src/graphql/schema.ts";
import { Selections, type Selection } from "../../src/graphql/selections.ts";
import { DEPENDS_ON_VIEWER } from "../../src/graphql/viewer.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket, type RawResults } from "../support/graphql-socket.ts";
import { ChatsDocument, PresenceChangedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { openEventStream } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";

const log = pino({ level: "silent" });
const NOBODY: Caller = {
  identity: () => Promise.reject(new Error("nobody")),
  session: () => Promise.reject(new Error("nobody")),
  refresh: () => Promise.reject(new Error("nobody")),
  resumable: undefined,
  lastEventId: undefined,
  client: undefined,
  userId: undefined,
  release() {},
};

function messageEvent(chatId: string, content: string): MessageCreated {
  const sender = { id: "u1", name: "Ursula" };
  const createdAt = "2026-01-31T09:30:00.000Z";
  const message = { id: content, chatId, sender, content, createdAt, readAt: null, clientMessageId: null };
  return { type: "message.created", chatId, message };
}

describe("selections", () => {
  /** A schema like ours in what matters, which counts what is executed. */
  function countingSchema(): { readonly schema: GraphQLSchema; readonly executed: string[] } {
    const executed: string[] = [];
    const schema = buildSdl(`
      type Query { none: Int }
      type Subscription { messageAdded(chatId: ID): Message other(chatId: ID): Message }
      type Message { content(prefix: String, max: Int = 5): String mine: Boolean failing: Int slow: Int }
    `);
    const { messageAdded } = schema.getSubscriptionType()?.getFields() ?? {};
    const { content, mine, failing, slow } = (schema.getType("Message") as GraphQLObjectType).getFields();
    if (!messageAdded || !content || !mine || !failing || !slow) throw new Error("the schema is not what it says");
    messageAdded.resolve = (event: MessageCreated) => event.message;
    content.resolve = (message: MessageCreated["message"], args: { readonly prefix?: string | null }) => {
      executed.push(message.content);
      return `${args.prefix ?? ""}${message.content}`;
    };
    mine.extensions = DEPENDS_ON_VIEWER;
    failing.resolve = () => {
      throw new Error("this field never works");
    };
    slow.resolve = async () => 1;
    return { schema, executed };
  }

  function selectionsOf(schema: GraphQLSchema): {
    acquire(query: string | Operation["document"], rest?: Partial<Operation>): Selection | undefined;
  } {
    const selections = new Selections(
      schema,
      (operation) => new OperationContext(operation, NOBODY, {} as Services, log),
    );
    return {
      acquire(query, rest = {}) {
        const document = typeof query === "string" ? parse(query) : query;
        expect(validate(schema, document)).toEqual([]);
        const type = OperationTypeNode.SUBSCRIPTION;
        return selections.acquire({
          type,
          document,
          operationName: undefined,
          variables: undefined,
          startVariables: [],
          cost: 1,
          field: undefined,
          ...rest,
        });
      },
    };
  }

  test("equal operations share one selection, which executes each event once", () => {
    const { schema, executed } = countingSchema();
    const selections = selectionsOf(schema);
    const document = parse("subscription { messageAdded { content } }");
    const acquired = Array.from({ length: 100 }, () => selections.acquire(document));
    expect(new Set(acquired).size).toBe(1);
    const events = [messageEvent("c", "one"), messageEvent("c", "two")];
    for (const event of events) {
      const rendered = acquired.map((selection) => selection?.render(event));
      expect(new Set(rendered).size).toBe(1);
      expect(rendered[0]).toEqual({
        payload: { json: JSON.stringify({ data: { messageAdded: { content: event.message.content } } }) },
      });
    }
    expect(executed).toEqual(["one", "two"]);
  });

  test.each([
    ["a variable that only says what to subscribe to", { chatId: "a" }, { chatId: "b" }, 1],
    ["a variable given or left out that only says what to subscribe to", { chatId: "a" }, {}, 1],
    ["an argument below the root field", { prefix: "a" }, { prefix: "b" }, 2],
    ["a directive's condition", { flag: true }, { flag: false }, 2],
    ["a condition left to its default, and one that is null", {}, { flag: null }, 2],
    ["a variable that the document does not have", { unknown: 1 }, { unknown: 2 }, 1],
    ["the order of variables", { prefix: "a", flag: true }, { flag: true, prefix: "a" }, 1],
    ["a text like another value", { prefix: "null" }, { prefix: null }, 2],
  ])("two operations that differ in %s", (_what, first, second, selectionsExpected) => {
    const selections = selectionsOf(countingSchema().schema);
    const document = parse(`
      subscription ($chatId: ID, $prefix: String, $flag: Boolean = true) {
        messageAdded(chatId: $chatId) { content(prefix: $prefix) @include(if: $flag) }
      }`);
    const acquired = [first, second].map((variables) => selections.acquire(document, { variables }));
    expect(new Set(acquired).size).toBe(selectionsExpected);
  });

  test("operation names and aliases of the root field make different selections", () => {
    const { schema } = countingSchema();
    const selections = selectionsOf(schema);
    const document = parse(`
      subscription A($chatId: ID, $max: Int) { ...Root }
      subscription B($chatId: ID, $max: Int) { again: messageAdded(chatId: $chatId) { content(max: $max) } }
      fragment Root on Subscription { messageAdded(chatId: $chatId) { content(max: $max) } }
    `);
    const of = (operationName: string, variables: Record<string, unknown>): Selection | undefined =>
      selections.acquire(document, { operationName, variables });
    const a = of("A", { chatId: "1", max: 1 });
    expect(of("A", { chatId: "2", max: 1 })).toBe(a);
    expect(of("A", { chatId: "1", max: 2 })).not.toBe(a);
    const b = of("B", { chatId: "1", max: 1 });
    expect(b).not.toBe(a);
    expect(b?.render(messageEvent("c", "x"))).toMatchObject({
      payload: { json: '{"data":{"again":{"content":"x"}}}' },
    });
  });

  test("a selection is forgotten with its last user", () => {
    const selections = selectionsOf(countingSchema().schema);
    const document = parse("subscription { messageAdded { content } }");
    const [first, second] = [selections.acquire(document), selections.acquire(document)];
    first?.release();
    expect(selections.acquire(document)).toBe(second);
    second?.release();
    second?.release();
    expect(selections.acquire(document)).not.toBe(second);
  });

  test("a document with a field that depends on the viewer is not shared", () => {
    const selections = selectionsOf(countingSchema().schema);
    expect(selections.acquire("subscription { messageAdded { content mine } }")).toBeUndefined();
    const inFragment = "subscription { messageAdded { ...F } } fragment F on Message { ... on Message { a: mine } }";
    expect(selections.acquire(inFragment)).toBeUndefined();
    expect(selections.acquire("subscription { messageAdded { content } }")).toBeDefined();
  });

  test.each([
    ["fails", "failing"],
    ["waits", "slow"],
  ])("a field that %s is an error in the result, not an exception", (_what, field) => {
    const selection = selectionsOf(countingSchema().schema).acquire(`subscription { messageAdded { ${field} } }`);
    const rendered = selection?.render(messageEvent("c", "one"));
    expect(rendered).toMatchObject({ error: { extensions: { code: "INTERNAL_SERVER_ERROR" } } });
    expect(selection?.render(messageEvent("c", "two"))).toMatchObject({ error: expect.anything() });
  });
});

test("a hundred equal subscriptions of the real schema are executed once an event", async () => {
  const schema = buildSchema();
  const { messageAdded } = schema.getSubscriptionType()?.getFields() ?? {};
  const resolve = messageAdded?.resolve;
  if (!messageAdded || !resolve) throw new Error("there is no such subscription");
  let executions = 0;
  messageAdded.resolve = (...args) => {
    executions++;
    return resolve(...args);
  };
  const bus = createTestBus();
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  const session = new Session(
    { token: "t", tokenHash: "h", user: { id: "u1", name: "Ursula", email: "u@example.com", role: null } },
    directory,
  );
  const sources = {
    log: bus.log,
    history: { select: () => Promise.reject(new Error("the history was asked")) },
    turns: new FairTurns(),
    limit: 1000,
    replayed: new Counts<ReplaySource>(),
    starts: new Counts<StartOutcome>(),
  };
  const messages = async (chatId: string | undefined): Promise<unknown> => {
    const spec = { type: "message.created", session, chatId } as const;
    const stream = new DurableStream({ subscribers: fanout, spec, sources, start: async () => ({ start: "new" }) });
    await stream.open();
    return stream;
  };
  const subscriptions = {
    messageAdded: async (_session: Session, { chatId }: { readonly chatId: string | undefined }) => messages(chatId),
  };
  const services = { subscriptions, operationLimit: unlimitedOperations() } as unknown as Services;
  const operations = new Operations({ schema, introspection: true, services, log });

  async function subscribe(request: OperationRequest): Promise<SharedSubscription> {
    const caller: Caller = {
      identity: async () => session,
      session: async () => session,
      refresh: () => Promise.reject(new Error("nobody")),
      resumable: undefined,
      lastEventId: undefined,
      client: undefined,
      userId: undefined,
      release() {},
    };
    const operation = operations.prepare(request, caller);
    if (!("type" in operation)) throw new Error(JSON.stringify(operation));
    const shared = await operations.subscribeShared(operations.context(operation, caller));
    if (!("stream" in shared)) throw new Error("this subscription is not shared");
    return shared;
  }

  const query = "subscription ($chatId: ID) { messageAdded(chatId: $chatId) { content sender { name } } }";
  const equal = await Promise.all(Array.from({ length: 100 }, () => subscribe({ query, variables: { chatId: "c" } })));
  const different = await subscribe({ query: query.replace("content", "text: content"), variables: { chatId: "c" } });
  const payloads: unknown[] = [];
  for (const { stream, selection } of [...equal, different]) {
    stream.pipe({
      isLagging: false,
      write: (event) => payloads.push(selection.render(event)),
      end() {},
    });
  }
  await bus.publish(chatTopic("c"), messageEvent("c", "one"));
  expect(payloads).toHaveLength(101);
  expect(new Set(payloads).size, "the equal ones share one object").toBe(2);
  expect(executions).toBe(2);
  await bus.publish(chatTopic("c"), messageEvent("c", "two"));
  expect(executions).toBe(4);
});

describe.each([
  ["offers no compression", "false", false],
  ["compresses", "true", true],
])("a gateway that %s", (_what, COMPRESSION, isCompressed) => {
  afterEach(() => vi.restoreAllMocks());

  test("serialises an event once for all equal subscriptions", async () => {
    await using gateway = await startGateway({ COMPRESSION });
    const [alice, bob, carol] = gateway.api.users;
    const chatId = gateway.api.demoChatId;
    await using sender = connect(gateway.wsUrl, alice?.token);
    await sender.acknowledged;
    await using sockets = new AsyncDisposableStack();
    const query = "subscription ($chatId: ID) { messageAdded(chatId: $chatId) { id content sender { name } } }";
    const all: RawResults[] = [];
    for (const [index, user] of [bob, carol, bob, carol].entries()) {
      // The last one offers no compression, and lives beside those who do.
      const socket = sockets.use(await openGraphQLSocket(gateway.wsUrl, user?.token, { perMessageDeflate: index < 3 }));
      expect(socket.socket.extensions.includes("permessage-deflate")).toBe(isCompressed && index < 3);
      const ids = Array.from({ length: 25 }, (_, number) => `${"i".repeat(number)}${index}`);
      all.push(...ids.map((id) => socket.start({ query, variables: id.length % 2 ? { chatId } : {} }, id)));
      await socket.run({ query: "{ chats { id } }" });
    }
    const renamed = connect(gateway.wsUrl, bob?.token);
    sockets.use(renamed);
    await using stream = await openEventStream(gateway.url, { query, variables: { chatId } }, carol?.token);

    const stringify = vi.spyOn(JSON, "stringify");
    // Long enough to be compressed where that is agreed on.
    const content = `${"lorem ipsum ".repeat(200)}héllo 🙂`;
    await sender.run(SendMessageDocument, { chatId, content });
    const texts = await Promise.all(all.map((results) => results.next()));
    expect(all).toHaveLength(100);
    expect(new Set(texts).size).toBe(1);
    expect(JSON.parse(texts[0] ?? "")).toMatchObject({
      data: { messageAdded: { content, sender: { name: alice?.name } } },
    });
    expect(await stream.next()).toEqual(JSON.parse(texts[0] ?? ""));
    const serialised = stringify.mock.calls.filter(([value]) => value === content || isMessageAdded(value));
    expect(serialised, "once for the hundred, once for the stream over HTTP, which shares nothing").toHaveLength(2);
    expect(await renamed.run(ChatsDocument)).toBeTruthy();
  });

  test("an operation whose results would fail is refused alone", async () => {
    await using gateway = await startGateway({ COMPRESSION });
    const [alice, bob] = gateway.api.users;
    const chatId = gateway.api.demoChatId;
    await using sender = connect(gateway.wsUrl, alice?.token);
    await using reader = await openGraphQLSocket(gateway.wsUrl, bob?.token);
    await sender.acknowledged;
    const query = "subscription ($flag: Boolean = true) { messageAdded { content @include(if: $flag) } }";
    // A variable with a default may be null all the same, which no directive takes.
    const failing = reader.start({ query, variables: { flag: null } });
    const sound = reader.start({ query });
    await reader.run({ query: "{ chats { id } }" });
    await sender.run(SendMessageDocument, { chatId, content: "one" });
    expect(await failing.ended).toMatchObject([{ extensions: { code: "BAD_USER_INPUT", argument: "flag" } }]);
    await sender.run(SendMessageDocument, { chatId, content: "two" });
    expect(await sound.next()).toBe('{"data":{"messageAdded":{"content":"one"}}}');
    expect(await sound.next()).toBe('{"data":{"messageAdded":{"content":"two"}}}');
  });
});

test("a large message is compressed where the client has agreed to it", async () => {
  await using gateway = await startGateway({ COMPRESSION: "true" });
  const [alice, bob] = gateway.api.users;
  await using sender = connect(gateway.wsUrl, alice?.token);
  await sender.acknowledged;
  const query = "subscription { messageAdded { content } }";
  const content = "x".repeat(9000);
  const bytes: number[] = [];
  for (const perMessageDeflate of [true, false]) {
    await using reader = await openGraphQLSocket(gateway.wsUrl, bob?.token, { perMessageDeflate });
    const results = reader.start({ query });
    await reader.run({ query: "{ chats { id } }" });
    const before = reader.transport.bytesRead;
    await sender.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content });
    expect(JSON.parse(await results.next())).toEqual({ data: { messageAdded: { content } } });
    bytes.push(reader.transport.bytesRead - before);
  }
  expect(bytes[0]).toBeLessThan(1000);
  expect(bytes[1]).toBeGreaterThan(9000);
});

function isMessageAdded(value: unknown): boolean {
  const { data } = (value ?? {}) as { readonly data?: Readonly<Record<string, unknown>> | null };
  return typeof data === "object" && data !== null && "messageAdded" in data;
}

test("who is online is executed once for all who come, not once for each", async () => {
  await using gateway = await startGateway({ ADMIN_PORT: "0" });
  const { api, wsUrl, adminUrl = "" } = gateway;
  const people = Array.from({ length: 12 }, (_, n) =>
    api.data.createUser({ name: `Person ${n}`, token: randomUUID() }),
  );
  const { id: chatId } = api.data.createChat({ participants: people.map(({ id }) => id) });
  await using clients = new AsyncDisposableStack();
  const come = async (token: string, others: number): Promise<void> => {
    const seen = clients.use(clients.use(connect(wsUrl, token)).subscribe(PresenceChangedDocument, { chatId }));
    for (let n = 0; n < others; n++) await seen.next();
  };
  const executions = async (): Promise<number> =>
    (await scrape(adminUrl)).value(`${METRIC_PREFIX}executions_total`, { field: "presenceChanged" }) ?? 0;
  for (const [present, { token }] of people.entries()) await come(token, present);
  // Each was told of those who had come before; of everybody it was executed once, and once more as the news that it was.
  expect(await executions()).toBeLessThanOrEqual(2 * people.length);
});
