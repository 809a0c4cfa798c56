/** Two browsers with one person each, and what happens to a page in a day: nothing missing, nothing twice, the state shown truthfully. */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import { sendAll } from "../support/chatting.ts";
import { PATIENCE_MS } from "../support/browser.ts";
import { connect } from "../support/client.ts";
import { launchOrdinaryBrowser } from "../support/ordinary-browser.ts";
import { startRelay, type Relay } from "../support/relay.ts";

const [alice, bob] = DEMO_USERS;

/** A silent network has to be noticed within 15 s. */
const NOTICED_MS = 15_000;

/** The client kit waits at most so long before it connects again. */
const LONGEST_PAUSE_MS = 30_000;

interface Scene extends AsyncDisposable {
  readonly alice: Page;
  readonly bob: Page;
  /** Between Alice's browser and the gateway. */
  readonly relay: Relay;
  readonly gateway: Gateway;
  /** Another gateway, which remembers nothing, on the same data. `meanwhile` runs while there is none. */
  restart(meanwhile: () => Promise<void> | void, environment?: Readonly<Record<string, string>>): Promise<void>;
}

async function start(): Promise<Scene> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await mkdtempDisposable(join(tmpdir(), "demo-")));
  const launch = (environment: Readonly<Record<string, string>> = {}): Promise<Gateway> =>
    createGateway(
      parseConfig({
        PORT: "0",
        HOST: "127.0.0.1",
        DEV_API_FILE: join(folder.path, "chat.db"),
        LOG_LEVEL: "silent",
        DRAIN_WINDOW: "0",
        PRESENCE_GRACE: "0",
        RATE_LIMIT_MESSAGES: "100000/1s",
        RATE_LIMIT_OPERATIONS: "100000/1s",
        ...environment,
      }),
    );
  let gateway = await launch();
  starting.defer(() => gateway.close());
  const chatId = gateway.devApi?.demoChatId ?? "";
  const long = Array.from({ length: 120 }, (_, index) => index);
  for (const index of long) {
    const createdAt = new Date(Date.now() - 1000 + index).toISOString();
    gateway.devApi?.data.addMessage({ chatId, senderId: bob.id, content: `before ${index}`, createdAt });
  }
  const relay = starting.use(await startRelay(gateway.url));
  const { browser, context } = starting.use(await launchOrdinaryBrowser());
  const open = async (user: number, own: BrowserContext): Promise<Page> => {
    own.setDefaultTimeout(PATIENCE_MS);
    const page = await own.newPage();
    await page.clock.install();
    await page.goto(new URL(`/demo?user=${user}`, relay.url).href);
    await status(page, "Live");
    return page;
  };
  const [first, second] = await Promise.all([open(0, context), open(1, await browser.newContext())]);
  const running = starting.move();
  return {
    alice: first,
    bob: second,
    relay,
    get gateway() {
      return gateway;
    },
    async restart(meanwhile, environment) {
      await gateway.close();
      await meanwhile();
      gateway = await launch(environment);
      relay.redirect(Number(new URL(gateway.url).port));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function status(page: Page, text: string): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor();
}

async function write(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox").fill(text);
  await page.getByRole("textbox").press("Enter");
}

function message(page: Page, text: string): Locator {
  return page.locator(".log li").filter({ has: page.getByText(text, { exact: true }) });
}

/** Sends as Bob, past every browser. */
async function sendMany(gateway: Gateway, prefix: string, count: number): Promise<string> {
  await using client = connect(gateway.url.replace(/^http/, "ws"), "bob-token");
  const contents = Array.from({ length: count }, (_, index) => `${prefix} ${index}`);
  await sendAll(client, gateway.devApi?.demoChatId ?? "", contents);
  return contents.at(-1) ?? "";
}

/** Resolves when a page is live and shows exactly what the REST API has. */
async function complete(page: Page, { devApi }: Gateway): Promise<void> {
  await status(page, "Live");
  const persisted = devApi?.data.messages(devApi.demoChatId).map(({ content }) => content) ?? [];
  await message(page, persisted.at(-1) ?? "").waitFor();
  await loadAll(page);
  await expect.poll(() => texts(page)).toEqual(persisted);
}

/** Scrolls up until there is nothing older. */
async function loadAll(page: Page): Promise<void> {
  const older = page.getByRole("button", { name: "Older messages" });
  const scroll = `new Promise((done) => { document.querySelector(".log").scrollTo(0, 0); requestAnimationFrame(done); })`;
  while ((await older.count()) > 0) await page.evaluate(scroll);
}

/** The texts of the messages that a page shows. */
function texts(page: Page): Promise<string[]> {
  return page.locator(".log .text").allInnerTexts();
}

/** The page's time, in ms since 1970. */
async function now(page: Page): Promise<number> {
  return Number(await page.evaluate("Date.now()"));
}

/** Two browsers on one gateway for all tests, each of which ends with both of them live. */
describe("a demo page that is open all day", () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await start();
  }, 300_000);
  afterAll(() => scene[Symbol.asyncDispose]());

  test("chats both ways, and loads older messages while new ones come", async () => {
    const { alice: page, bob: other, gateway } = scene;
    await write(page, "from Alice");
    await message(other, "from Alice").waitFor();
    await message(page, "from Alice").getByRole("img", { name: "read by Bob" }).waitFor();
    const [last] = await Promise.all([sendMany(gateway, "meanwhile", 20), loadAll(page)]);
    await message(page, last).waitFor();
    await Promise.all([complete(page, gateway), complete(other, gateway)]);
  });

  test("is in the background, frozen, misses 500 messages, and is thawed", async () => {
    const { alice: page, gateway } = scene;
    const before = await texts(page);
    const tab = await page.context().newPage();
    await tab.bringToFront();
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
    await sendMany(gateway, "frozen", 500);
    expect(await texts(page)).toEqual(before);
    await cdp.send("Page.setWebLifecycleState", { state: "active" });
    await page.bringToFront();
    await complete(page, gateway);
    await tab.close();
  });

  test("shows within 15 s that the network swallows everything, and after a minute goes on", async () => {
    const { alice: page, gateway, relay } = scene;
    relay.freeze();
    // From here on the page's time passes only where it is told to.
    await page.clock.pauseAt((await now(page)) + 1000);
    await sendMany(gateway, "silent", 3);
    await page.clock.runFor(NOTICED_MS - 1000);
    await status(page, "Reconnecting");
    await page.clock.runFor(45_000);
    await status(page, "Reconnecting");
    relay.thaw();
    await page.clock.resume();
    await page.clock.runFor(LONGEST_PAUSE_MS);
    await complete(page, gateway);
  });

  test("comes out of the back/forward cache", async () => {
    const { alice: page, gateway, relay } = scene;
    await page.evaluate(`addEventListener("pageshow", ({ persisted }) => { globalThis.isRestored = persisted; })`);
    await page.goto(new URL("/health", relay.url).href);
    await sendMany(gateway, "elsewhere", 3);
    await page.evaluate("history.back()");
    await complete(page, gateway);
    expect(await page.evaluate("globalThis.isRestored")).toBe(true);
  });

  test("stays open while the gateway is restarted", async () => {
    const { alice: page, bob: other } = scene;
    await scene.restart(() => write(page, "written while the gateway was away"));
    await message(other, "written while the gateway was away").waitFor();
    await Promise.all([complete(page, scene.gateway), complete(other, scene.gateway)]);
  });

  test("is offline for longer than RESUME_WINDOW, and misses more than REPLAY_LIMIT", async () => {
    const { alice: page, bob: other } = scene;
    // The gateway that starts here remembers nobody for longer than a millisecond.
    await scene.restart(() => undefined, { RESUME_WINDOW: "1", REPLAY_LIMIT: "5" });
    await Promise.all([complete(page, scene.gateway), complete(other, scene.gateway)]);
    await page.context().setOffline(true);
    await status(page, "Offline");
    await write(page, "written offline");
    await message(page, "written offline").getByRole("img", { name: "queued" }).waitFor();
    await sendMany(scene.gateway, "offline", 20);
    await page.context().setOffline(false);
    await message(other, "written offline").waitFor();
    await Promise.all([complete(page, scene.gateway), complete(other, scene.gateway)]);
  });

  test("gets another token when its own expires", async () => {
    const { alice: page, gateway } = scene;
    const reconnected = page.waitForEvent("websocket");
    await page.getByRole("button", { name: "Expire the token" }).click();
    await reconnected;
    await sendMany(gateway, "after the token", 3);
    await complete(page, gateway);
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  test("asks for a login when the token expires and there is no other", async () => {
    const { alice: page, gateway } = scene;
    await page.getByRole("button", { name: "End the session" }).click();
    await status(page, "Signed out");
    await sendMany(gateway, "signed out", 3);
    await write(page, "written without a session");
    await page.getByRole("button", { name: "Sign in" }).click();
    await message(page, "written without a session").getByRole("img", { name: "read by Bob" }).waitFor();
    await complete(page, gateway);
  });

  test("asks for a login when the user is signed out elsewhere", async () => {
    const { alice: page, gateway } = scene;
    gateway.devApi?.data.signOut(alice.id);
    await page.getByRole("alert").filter({ hasText: "You are signed out." }).waitFor();
    await status(page, "Signed out");
    await sendMany(gateway, "revoked", 3);
    await page.getByRole("button", { name: "Sign in" }).click();
    await complete(page, gateway);
  });

  test("shows that somebody has closed the tab", async () => {
    const { alice: page, bob: other } = scene;
    await page.getByText("Bob online", { exact: true }).waitFor();
    await other.close();
    await page.getByText("nobody else online").waitFor();
    expect(await page.getByRole("region").getAttribute("aria-label")).toBe(alice.name);
  });
});
