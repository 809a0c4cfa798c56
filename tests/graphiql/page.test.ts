import { readFileSync } from "node:fs";
import { buildSchema, Kind, OperationTypeNode, parse, validate, type DocumentNode } from "graphql";
import type { Browser, Locator, Page, Request, WebSocket } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { createGateway } from "../../src/gateway.ts";
import { exampleTabs } from "../../src/server/graphiql/graphiql-examples.ts";
import {
  launchBrowser,
  openGraphiQL,
  PHONE,
  readHeaders,
  readResult,
  readTrouble,
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
import { connect } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatsDocument, MarkChatReadDocument, PresenceChangedDocument } from "../support/generated/graphql.ts";
import { startPrefixProxy } from "../support/prefix-proxy.ts";
import { startRelay } from "../support/relay.ts";
import { overHttp } from "../support/runner.ts";

/** A port that nothing listens on. */
const NOWHERE = 1;

const PAGE = { GRAPHIQL: "true", PRESENCE_GRACE: "0", TYPING_TIMEOUT: "600000" };

/** What a page sends from now on: the header of each request, the payload of each connection's first message. */
function watchTokens(page: Page): { http: (string | undefined)[]; sockets: unknown[] } {
  const http: (string | undefined)[] = [];
  const sockets: unknown[] = [];
  page.on("request", (request: Request) => {
    if (request.method() === "POST") http.push(request.headers()["authorization"]);
  });
  page.on("websocket", (socket: WebSocket) => {
    socket.on("framesent", ({ payload }) => {
      const message = JSON.parse(String(payload)) as { type: string; payload?: unknown };
      if (message.type === "connection_init") sockets.push(message.payload);
    });
  });
  return { http, sockets };
}

/** The names of the root fields of a document's operations of one type. */
function rootFields({ definitions }: DocumentNode, type: OperationTypeNode): string[] {
  return definitions
    .flatMap((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION && definition.operation === type
        ? definition.selectionSet.selections
        : [],
    )
    .flatMap((selection) => (selection.kind === Kind.FIELD ? [selection.name.value] : []));
}

/** Somebody in the demo chat who sees from outside who comes and goes. */
async function startWatch({ wsUrl }: TestGateway) {
  const watcher = connect(wsUrl, "carol-token");
  const presence = watcher.subscribe(PresenceChangedDocument);
  await watcher.run(ChatsDocument);
  return {
    async next() {
      const { user, online } = (await presence.next()).presenceChanged;
      return `${user.name} is ${online ? "online" : "offline"}`;
    },
    [Symbol.asyncDispose]: () => watcher[Symbol.asyncDispose](),
  };
}

describe("GraphiQL's page in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  test("sends and receives messages with the tokens of the Headers editor, and asks no other host", async () => {
    await using gateway = await startGateway(PAGE, { statisticsIntervalMs: 20 });
    await using alice = await visit(browser, gateway.url);
    await using bob = await visit(browser, gateway.url);

    const reading = await openGraphiQL(alice, gateway.url);
    const readersTokens = watchTokens(reading);
    await selectTab(reading, "MessageAdded");
    await setToken(reading, "alice-token");
    await run(reading);
    await expect.poll(() => gateway.logged.some(({ subscriptions }) => subscriptions === 1)).toBe(true);

    const writing = await openGraphiQL(bob, gateway.url);
    const writersTokens = watchTokens(writing);
    await selectTab(writing, "SendMessage");
    await setToken(writing, "bob-token");
    await setVariables(writing, { chatId: gateway.api.demoChatId, content: "Good morning" });
    await run(writing);

    await expect(readResult(writing, "Good morning")).resolves.toContain('"sendMessage"');
    await expect(readResult(reading, "Good morning")).resolves.toContain('"name": "Bob Brown"');
    expect(readersTokens).toEqual({ http: [], sockets: [{ Authorization: "Bearer alice-token" }] });
    expect(writersTokens).toEqual({ http: ["Bearer bob-token"], sockets: [] });
    expect([...alice.foreignRequests, ...bob.foreignRequests]).toEqual([]);
    expect([...alice.complaints, ...bob.complaints]).toEqual([]);
  });

  test("opens with a tab for each operation, and tells at once that a token is missing or refused", async () => {
    await using gateway = await startGateway(PAGE);
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);
    const { http, sockets } = watchTokens(page);

    await expect(page.title()).resolves.toBe("Chat gateway — GraphiQL");
    await expect(tabTitles(page)).resolves.toEqual([
      "MeAndChats",
      "ChatsChanged",
      "SendMessage",
      "MessageAdded",
      "MarkChatRead",
      "ReadReceipt",
      "SetTyping",
      "TypingChanged",
      "PresenceChanged",
    ]);
    const schema = buildSchema(readFileSync("schema/schema.graphql", "utf8"));
    const documents = exampleTabs().map(({ query }) => parse(query));
    expect(documents.flatMap((document) => validate(schema, document))).toEqual([]);
    const subscribed = documents.flatMap((document) => rootFields(document, OperationTypeNode.SUBSCRIPTION));
    expect(subscribed.toSorted()).toEqual(Object.keys(schema.getSubscriptionType()?.getFields() ?? {}).toSorted());

    await expect(readHeaders(page)).resolves.toContain('"Authorization": "Bearer "');
    await run(page);
    await expect(readResult(page, "No valid token.")).resolves.toContain('"code": "UNAUTHENTICATED"');
    await expect(readTrouble(page, "token")).resolves.toBe(
      "No valid token. Put a valid token into the Headers editor, then run it again.",
    );
    expect(http).toEqual([undefined]);

    await selectTab(page, "MessageAdded");
    await setToken(page, "nobody's");
    await run(page);
    await expect(readResult(page, "closed")).resolves.toContain("The connection was closed: 4403 Token refused");
    await expect(readTrouble(page, "refused")).resolves.toBe(
      "Token refused. Put a valid token into the Headers editor, then run it again.",
    );
    expect(sockets).toHaveLength(1);
  });

  test("tells on a phone that the gateway is away, and goes on when it is back", async () => {
    await using gateway = await startGateway(PAGE, { statisticsIntervalMs: 20 });
    await using relay = await startRelay(gateway.url);
    await using visitor = await visit(browser, relay.url, PHONE);
    const page = await openGraphiQL(visitor, relay.url);
    const inReach = async (what: Locator): Promise<void> => {
      const { x, y, width, height } = (await what.boundingBox()) ?? { x: NaN, y: NaN, width: NaN, height: NaN };
      expect([x >= 0, y >= 0, x + width <= 390, y + height <= 844, width >= 40, height >= 40]).not.toContain(false);
    };
    await setToken(page, "alice-token");
    await run(page);
    await readResult(page, "Alice Adams");
    for (const selector of [".graphiql-query-editor", ".graphiql-editor-tools", ".graphiql-response"]) {
      await inReach(page.locator(selector));
    }
    await inReach(page.getByRole("button", { name: "Execute query" }));
    await page.getByRole("button", { name: "Show Documentation Explorer" }).tap();
    await inReach(page.locator(".graphiql-plugin"));
    await page.getByRole("button", { name: "Hide Documentation Explorer" }).tap();

    await selectTab(page, "ReadReceipt");
    await setToken(page, "alice-token");
    await run(page);
    await expect.poll(() => gateway.logged.some(({ subscriptions }) => subscriptions === 1)).toBe(true);
    relay.redirect(NOWHERE);
    relay.cut();
    // The phone wraps lines.
    await expect(readResult(page, "Trying")).resolves.toContain('"errors"');
    await inReach(page.getByRole("button", { name: "Stop query" }));
    await readTrouble(page, "The gateway cannot be reached. Trying again…");
    relay.redirect(Number(new URL(gateway.url).port));
    await readResult(page, "Connected.");
    await page.locator("#trouble").waitFor({ state: "hidden" });
    await overHttp(gateway.url, "bob-token").run(MarkChatReadDocument, { chatId: gateway.api.demoChatId });
    await readResult(page, "readReceipt");

    await selectTab(page, "MeAndChats");
    relay.redirect(NOWHERE);
    relay.cut();
    await run(page);
    await readTrouble(page, "The gateway cannot be reached.");
    await expect(readResult(page, "errors")).resolves.toContain("reached");
  });

  test("runs at once with the embedded development API, whose demo user and chat are filled in", async () => {
    const config = parseConfig({ PORT: "0", DEV_API_FILE: ":memory:", LOG_LEVEL: "silent", DRAIN_WINDOW: "0" });
    await using gateway = await createGateway(config);
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);
    await run(page);
    await expect(readResult(page, "Harbour Fair")).resolves.toContain('"name": "Alice Adams"');
    await selectTab(page, "SendMessage");
    await run(page);
    const sent = await readResult(page, "Hello from GraphiQL");
    expect(sent).toContain(`"chatId": "${gateway.devApi?.demoChatId}"`);
  });

  test("works under a path prefix, behind a proxy", async () => {
    await using gateway = await startGateway(PAGE);
    await using proxy = await startPrefixProxy(gateway.url, "/prefix");
    await using watch = await startWatch(gateway);
    await using visitor = await visit(browser, proxy.url);
    const page = await openGraphiQL(visitor, proxy.url);
    await setToken(page, "alice-token");
    await run(page);
    await readResult(page, "Alice Adams");
    await selectTab(page, "PresenceChanged");
    await setToken(page, "alice-token");
    await run(page);
    await expect(readResult(page, "presenceChanged")).resolves.toContain("Carol Clark");
    await expect(watch.next()).resolves.toBe("Alice Adams is online");
    expect(visitor.complaints).toEqual([]);
  });

  test("connects anew when the header has changed", async () => {
    await using gateway = await startGateway(PAGE);
    await using watch = await startWatch(gateway);
    await using visitor = await visit(browser, gateway.url);
    const page = await openGraphiQL(visitor, gateway.url);
    const { sockets } = watchTokens(page);
    await selectTab(page, "MessageAdded");
    await setToken(page, "alice-token");
    await run(page);
    await expect(watch.next()).resolves.toBe("Alice Adams is online");
    await stop(page);
    await expect(watch.next()).resolves.toBe("Alice Adams is offline");

    await setToken(page, "bob-token");
    await setQuery(page, "Online", "subscription Online { presenceChanged { user { name } } }");
    await run(page);
    await expect(readResult(page, "presenceChanged")).resolves.toContain("Carol Clark");
    await expect(watch.next()).resolves.toBe("Bob Brown is online");
    expect(sockets).toEqual([{ Authorization: "Bearer alice-token" }, { Authorization: "Bearer bob-token" }]);
  });

  test("keeps tokens out of storage and address, reaches no other host, and runs no other script", async () => {
    await using gateway = await startGateway(PAGE);
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
