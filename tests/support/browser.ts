/** Drives GraphiQL in a real Chromium, the way a person does: clicks, keys, and what is on the screen. */
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from "playwright-core";
import { expect } from "vitest";

export const CHROMIUM = "/usr/bin/chromium";
export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** For what happens in a browser on a busy machine. */
export const PATIENCE_MS = 60_000;
const DESK = { viewport: { width: 1500, height: 1000 } };
/** What `visit` takes for a visitor with a phone. */
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** A Chromium of its own, closed with everything in it when disposed. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** One person's browser: storage of its own, and no way to any host but one. */
export interface Visitor extends AsyncDisposable {
  readonly context: BrowserContext;
  /** The addresses of other hosts that were asked for; what was asked over HTTP was refused. */
  readonly foreignRequests: readonly string[];
  /** What the browser complained of: errors on the console, breaches of the page's policy, uncaught exceptions. */
  readonly complaints: readonly string[];
}

/**
 * @param url of the gateway: the only host that may be reached.
 */
export async function visit(browser: Browser, url: string, device: typeof DESK = DESK): Promise<Visitor> {
  const context = await browser.newContext({ ...device, colorScheme: "light" });
  context.setDefaultTimeout(PATIENCE_MS);
  const foreignRequests: string[] = [];
  const complaints: string[] = [];
  const isForeign = (address: URL): boolean =>
    /^(http|ws)s?:$/.test(address.protocol) && address.host !== new URL(url).host;
  await context.route(isForeign, (route) => route.abort());
  context.on("request", (request) => {
    if (isForeign(new URL(request.url()))) foreignRequests.push(request.url());
  });
  context.on("page", (page) => {
    page.on("websocket", (socket) => {
      if (isForeign(new URL(socket.url()))) foreignRequests.push(socket.url());
    });
  });
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(error.error().message));
  return { context, foreignRequests, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** Opens GraphiQL in a new browser tab; resolves when it has read the schema, so that it is ready for work. */
export async function openGraphiQL(visitor: Visitor, url: string): Promise<Page> {
  const page = await visitor.context.newPage();
  await Promise.all([untilIntrospected(page), page.goto(url)]);
  return page;
}

/** Loads the page again, as a person does who presses F5. */
export async function reloadGraphiQL(page: Page): Promise<void> {
  await Promise.all([untilIntrospected(page), page.reload()]);
}

/** GraphiQL's first POST asks for the schema, once its editors stand. */
async function untilIntrospected(page: Page): Promise<void> {
  const response = await page.waitForResponse((answer) => answer.request().method() === "POST");
  await response.finished();
  await page.getByRole("button", { name: "Re-fetch GraphQL schema" }).and(page.locator(":enabled")).waitFor();
}

/** The titles of GraphiQL's own tabs, from left to right. */
export function tabTitles(page: Page): Promise<string[]> {
  return page.locator(".graphiql-tab-button").allInnerTexts();
}

/** Changes to one of GraphiQL's own tabs, which stops what runs. */
export async function selectTab(page: Page, title: string): Promise<void> {
  await page.locator(".graphiql-tab-button", { hasText: title }).click();
  await untilUnderstood(page, title);
}

/** Replaces the Headers editor's text by `{ "Authorization": "Bearer <token>" }`. */
export async function setToken(page: Page, token: string): Promise<void> {
  await fill(page, await tool(page, "Headers"), JSON.stringify({ Authorization: `Bearer ${token}` }));
}

/** What stands in the Headers editor. */
export async function readHeaders(page: Page): Promise<string> {
  return shownText(await tool(page, "Headers"));
}

/** Replaces the variables. */
export async function setVariables(page: Page, variables: object): Promise<void> {
  await fill(page, await tool(page, "Variables"), JSON.stringify(variables));
}

/** Replaces the operation. */
export async function setQuery(page: Page, operationName: string, document: string): Promise<void> {
  await fill(page, page.locator(".graphiql-query-editor .monaco-editor"), document);
  await untilUnderstood(page, operationName);
}

/** Presses the execute button. */
export async function run(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Execute query" }).click();
}

/** Presses the same button while a subscription runs. */
export async function stop(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Stop query" }).click();
}

/** The result pane once it shows `text`. Only lines on the screen count. */
export async function readResult(page: Page, text: string): Promise<string> {
  const result = page.locator(".graphiql-response .monaco-editor");
  await result.locator(".view-lines", { hasText: text }).waitFor();
  return shownText(result);
}

/** The line above the editors that says what is wrong, once it has a text that contains `text`. */
export async function readTrouble(page: Page, text: string): Promise<string> {
  const line = page.locator("#trouble[role=alert]", { hasText: text });
  await line.waitFor();
  return (await line.textContent()) ?? "";
}

/** GraphiQL parses a text a moment after it changed and stores it then; until that it would run the one before. */
async function untilUnderstood(page: Page, operationName: string): Promise<void> {
  await untilStored(page, "graphiql:query", operationName);
}

/**
 * Resolves when an entry of the page's localStorage contains `text`. Asked from outside: Playwright's own waiting evaluates text in
 * the page, which the page's policy forbids.
 */
export async function untilStored(page: Page, key: string, text: string): Promise<void> {
  await expect
    .poll(async () => String(await page.evaluate(`localStorage.getItem(${JSON.stringify(key)})`)))
    .toContain(text);
}

async function tool(page: Page, name: "Headers" | "Variables"): Promise<Locator> {
  await page.locator(".graphiql-editor-tools").getByRole("button", { name, exact: true }).click();
  return page.locator(".graphiql-editor-tool .monaco-editor:visible");
}

/** Inserted in one piece, as a paste is: typed brackets would be closed by the editor. */
async function fill(page: Page, editor: Locator, text: string): Promise<void> {
  await editor.locator(".view-lines").click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

/** Monaco keeps its lines in any order and says by their position which comes first; its spaces are no-break ones. */
async function shownText(editor: Locator): Promise<string> {
  const lines = await editor.locator(".view-line").all();
  const placed = await Promise.all(
    lines.map(async (line) => ({ top: (await line.boundingBox())?.y ?? 0, text: (await line.textContent()) ?? "" })),
  );
  const inOrder = placed.toSorted((one, other) => one.top - other.top);
  return inOrder.map(({ text }) => text.replaceAll("\u00a0", " ")).join("\n");
}
