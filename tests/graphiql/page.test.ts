import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { buildSchema, graphql, parse, validate } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { createPubSub } from "graphql-yoga";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { exampleTabs } from "../../src/server/graphiql-examples.ts";
import { createGraphiQL, wantsGraphiQL, type GraphiQLOptions } from "../../src/server/graphiql.ts";
import {
  launchBrowser,
  openGraphiQL,
  readHeaders,
  readResult,
  reloadGraphiQL,
  run,
  selectTab,
  setQuery,
  setToken,
  setVariables,
  stop,
  tabTitles,
  untilStored,
  visit,
} from "../support/browser.ts";

const SCHEMA = buildSchema(`
  scalar DateTime
  type Query { me: Me! chats: [Chat!]! }
  type Mutation {
    sendMessage(chatId: ID!, content: String!, clientMessageId: ID): Message!
    setTyping(chatId: ID!, isTyping: Boolean!): TypingChange!
  }
  type Subscription {
    messageAdded(chatId: ID, after: String): Message!
    typingChanged(chatId: ID): TypingChange!
    presenceChanged(chatId: ID): Presence!
  }
  type Me { id: ID! name: String! email: String! }
  type User { id: ID! name: String! }
  type Chat { id: ID! title: String participants: [User!]! lastMessage: Message unreadCount: Int! }
  type Message { id: ID! chatId: ID! sender: User! content: String! createdAt: DateTime! cursor: String! }
  type TypingChange { chatId: ID! user: User! isTyping: Boolean! }
  type Presence { user: User! online: Boolean! lastSeenAt: DateTime }
`);

const USERS = new Map([
  ["alice-token", { id: "u-alice", name: "Alice", email: "alice@example.com" }],
  ["bob-token", { id: "u-bob", name: "Bob", email: "bob@example.com" }],
]);

type User = { id: string; name: string; email: string };
type Context = { viewer: User | undefined };
type Body = { query: string; variables?: Record<string, unknown>; operationName?: string };

function userOf(authorization: unknown): User | undefined {
  return USERS.get(String(authorization).replace(/^Bearer /, ""));
}

function viewerOf(context: Context): User {
  if (context.viewer === undefined) throw new Error("No valid token.");
  return context.viewer;
}

function resolvers(events: EventEmitter) {
  const pubsub = createPubSub<{ message: [{ messageAdded: object }] }>();
  return {
    me: (_: unknown, context: Context) => viewerOf(context),
    chats: (_: unknown, context: Context) => [
      { id: "c1", title: "Corner shop", participants: [viewerOf(context)], unreadCount: 0 },
    ],
    sendMessage: ({ chatId, content }: { chatId: string; content: string }, context: Context) => {
      const now = "2026-01-31T09:30:00.000Z";
      const message = { id: "m1", chatId, sender: viewerOf(context), content, createdAt: now, cursor: "1" };
      pubsub.publish("message", { messageAdded: message });
      return message;
    },
    messageAdded: () => {
      const messages = pubsub.subscribe("message");
      events.emit("subscribed");
      return messages;
    },
    presenceChanged: async function* (_: unknown, context: Context) {
      yield { presenceChanged: { user: viewerOf(context), online: true } };
    },
  };
}

/** What the browser meets: the page, HTTP and WebSocket at one address under a path prefix, and who said to be whom. */
async function startGateway(options: GraphiQLOptions = {}) {
  const events = new EventEmitter();
  const graphiql = createGraphiQL(options);
  const authorizations: (string | undefined)[] = [];
  const connectionParams: unknown[] = [];
  const rootValue = resolvers(events);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (wantsGraphiQL(request)) return graphiql.respond(request, response);
    const { query, variables, operationName } = (await json(request)) as Body;
    if (operationName !== "IntrospectionQuery") authorizations.push(request.headers.authorization);
    const contextValue = { viewer: userOf(request.headers.authorization) };
    const result = await graphql({
      schema: SCHEMA,
      source: query,
      variableValues: variables,
      operationName,
      rootValue,
      contextValue,
    });
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result));
  }

  const server = createServer((request, response) => void answer(request, response));
  const sockets = new WebSocketServer({ server, path: "/prefix/graphql" });
  const graphqlWs = useServer(
    {
      schema: SCHEMA,
      roots: { subscription: rootValue },
      onConnect: ({ connectionParams: params }) => {
        connectionParams.push(params);
        return userOf(params?.["Authorization"]) !== undefined;
      },
      onClose: () => void events.emit("closed"),
      context: ({ connectionParams: params }) => ({ viewer: userOf(params?.["Authorization"]) }),
    },
    sockets,
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix/graphql`,
    authorizations,
    connectionParams,
    /** The next `subscribed` (to messages) or `closed` (a socket). */
    next: (event: "subscribed" | "closed") => once(events, event),
    async [Symbol.asyncDispose]() {
      await graphqlWs.dispose();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("GraphiQL's page in a browser", { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  }, 60_000);
  afterAll(() => browser.close());

  test("sends and receives messages with the tokens of the Headers editor, and asks no other host", async () => {
    await using gateway = await startGateway();
    await using alice = await visit(browser, gateway.url);
    await using bob = await visit(browser, gateway.url);

    const reading = await openGraphiQL(alice, gateway.url);
    await selectTab(reading, "MessageAdded");
    await setToken(reading, "alice-token");
    const subscribed = gateway.next("subscribed");
    await run(reading);
    await subscribed;

    const writing = await openGraphiQL(bob, gateway.url);
    await selectTab(writing, "SendMessage");
    await setToken(writing, "bob-token");
    await setVariables(writing, { chatId: "c1", content: "Good morning" });
    await run(writing);

    await expect(readResult(writing, "Good morning")).resolves.toContain('"sendMessage"');
    await expect(readResult(reading, "Good morning")).resolves.toContain('"name": "Bob"');
    expect(gateway.connectionParams).toEqual([{ Authorization: "Bearer alice-token" }]);
    expect(gateway.authorizations).toEqual(["Bearer bob-token"]);
    expect([...alice.foreignRequests, ...bob.foreignRequests]).toEqual([]);
    expect([...alice.complaints, ...bob.complaints]).toEqual([]);
  });

  test("opens with valid example operations in named tabs", async () => {
    await using gateway = await startGateway({ exampleToken: "alice-token" });
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);

    await expect(page.title()).resolves.toBe("Chat gateway — GraphiQL");
    await expect(tabTitles(page)).resolves.toEqual([
      "MeAndChats",
      "SendMessage",
      "MessageAdded",
      "SetTyping",
      "TypingChanged",
      "PresenceChanged",
    ]);
    expect(exampleTabs().flatMap(({ query }) => validate(SCHEMA, parse(query)))).toEqual([]);
    await run(page);
    await expect(readResult(page, "Corner shop")).resolves.toContain('"name": "Alice"');
  });

  test("connects anew when the header has changed", async () => {
    await using gateway = await startGateway({ exampleToken: "alice-token" });
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);
    await selectTab(page, "MessageAdded");

    const subscribed = gateway.next("subscribed");
    await run(page);
    await subscribed;
    const closed = gateway.next("closed");
    await stop(page);
    await closed;
    await setToken(page, "bob-token");
    await setQuery(page, "Online", "subscription Online { presenceChanged { user { name } } }");
    await run(page);

    await expect(readResult(page, "presenceChanged")).resolves.toContain("Bob");
    expect(gateway.connectionParams).toEqual([
      { Authorization: "Bearer alice-token" },
      { Authorization: "Bearer bob-token" },
    ]);
  });

  test("tells at once that a token was refused", async () => {
    await using gateway = await startGateway();
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);
    await selectTab(page, "MessageAdded");
    await setToken(page, "nobody's");
    await run(page);
    await expect(readResult(page, "closed")).resolves.toContain("The connection was closed: 4403 Forbidden");
    expect(gateway.connectionParams).toHaveLength(1);
  });

  test("sends no Authorization where no token was filled in", async () => {
    await using gateway = await startGateway();
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);
    await expect(readHeaders(page)).resolves.toContain('"Authorization": "Bearer "');
    await run(page);
    await readResult(page, "No valid token.");
    expect(gateway.authorizations).toEqual([undefined]);
  });

  test("keeps tokens out of the browser's storage, and what was typed out of the address", async () => {
    await using gateway = await startGateway();
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);
    await setToken(page, "alice-token");
    await setQuery(page, "WhoAmI", "query WhoAmI { me { name } }");
    await setVariables(page, { marker: "stored by now" });
    await run(page);
    await readResult(page, "Alice");
    await untilStored(page, "graphiql:tabState", "stored by now");

    await expect(page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")).resolves.not.toContain(
      "alice-token",
    );
    expect(page.url()).toBe(gateway.url);
    await reloadGraphiQL(page);
    await expect(readHeaders(page)).resolves.toContain('"Bearer "');
  });

  test("may neither reach another host nor run a script that is not its own", async () => {
    await using gateway = await startGateway();
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);
    const blocked = async (attempt: string): Promise<unknown> =>
      page.evaluate(`new Promise((resolve) => {
        addEventListener("securitypolicyviolation", (event) => resolve(event.blockedURI), { once: true });
        setTimeout(() => { ${attempt} });
      })`);

    await expect(blocked("fetch('https://elsewhere.invalid/')")).resolves.toBe("https://elsewhere.invalid/");
    await expect(blocked("new WebSocket('wss://elsewhere.invalid/')")).resolves.toBe("wss://elsewhere.invalid/");
    await expect(blocked("new Image().src = 'https://elsewhere.invalid/'")).resolves.toBe("https://elsewhere.invalid/");
    await expect(blocked("document.body.setAttribute('onclick', '0')")).resolves.toBe("inline");
    await expect(blocked("eval('0')")).resolves.toBe("eval");
  });
});
