/** Two browsers with one person each, and what happens to a page in a day: nothing missing, nothing twice, the state shown truthfully. */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type Locator, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import { launchBrowser, visit } from "../support/browser.ts";
import { sendAll } from "../support/chatting.ts";
import { connect } from "../support/client.ts";
import { startRelay, type Relay } from "../support/relay.ts";

const [alice, bob] = DEMO_USERS;

/** A silent network has to be noticed within 15 s. */
const NOTICED_MS = 15_000;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

interface Scene extends AsyncDisposable {
  readonly alice: Page;
  readonly bob: Page;
  /** Between Alice's browser and the gateway. */
  readonly relay: Relay;
  readonly gateway: Gateway;
  /** Another gateway, which remembers nothing, on the same REST API. */
  restart(): Promise<void>;
}

async function start(): Promise<Scene> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await mkdtempDisposable(join(tmpdir(), "demo-")));
  const launch = (): Promise<Gateway> =>
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
  const open = async (user: number): Promise<Page> => {
    const visitor = starting.use(await visit(browser, relay.url));
    const page = await visitor.context.newPage();
    await page.clock.install();
    await page.goto(new URL(`/demo?user=${user}`, relay.url).href);
    await status(page, "Live");
    return page;
  };
  const [first, second] = await Promise.all([open(0), open(1)]);
  const running = starting.move();
  return {
    alice: first,
    bob: second,
    relay,
    get gateway() {
      return gateway;
    },
    async restart() {
      await gateway.close();
      gateway = await launch();
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
  const older = page.getByRole("button", { name: "Older messages" });
  while ((await older.count()) > 0) await older.click({ timeout: 2000 }).catch(() => undefined);
  await vi.waitFor(async () => expect(await page.locator(".log .text").allInnerTexts()).toEqual(persisted));
}

test("two browsers miss and repeat nothing in a day of a page", { timeout: 240_000 }, async () => {
  await using scene = await start();
  const { alice: page, bob: other, relay } = scene;

  // Chat, both ways, while the history is paged.
  await write(page, "from Alice");
  await message(other, "from Alice").waitFor();
  await message(page, "from Alice").getByRole("img", { name: "read by Bob" }).waitFor();
  const [last] = await Promise.all([
    sendMany(scene.gateway, "meanwhile", 20),
    page.getByRole("button", { name: "Older messages" }).click(),
  ]);
  await message(page, last).waitFor();
  await Promise.all([complete(page, scene.gateway), complete(other, scene.gateway)]);

  // A page that is frozen, and 500 messages.
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
  await sendMany(scene.gateway, "frozen", 500);
  await cdp.send("Page.setWebLifecycleState", { state: "active" });
  await complete(page, scene.gateway);

  // A network that swallows everything, without an error.
  relay.freeze();
  await sendMany(scene.gateway, "silent", 3);
  await page.clock.runFor(NOTICED_MS);
  await status(page, "Reconnecting");
  relay.cut();
  relay.thaw();
  await page.clock.runFor(NOTICED_MS);
  await complete(page, scene.gateway);

  // Offline for longer than anybody remembers it.
  await page.context().setOffline(true);
  await status(page, "Offline");
  await write(page, "written offline");
  await scene.restart();
  await sendMany(scene.gateway, "offline", 3);
  await page.context().setOffline(false);
  await message(other, "written offline").waitFor();
  await Promise.all([complete(page, scene.gateway), complete(other, scene.gateway)]);

  // The token expires and there is no other: somebody signs in again.
  await page.getByRole("button", { name: "End the session" }).click();
  await status(page, "Signed out");
  await sendMany(scene.gateway, "signed out", 3);
  await page.getByRole("button", { name: "Sign in" }).click();
  await complete(page, scene.gateway);

  // Bob closes his tab.
  await page.getByText("Bob online", { exact: true }).waitFor();
  await other.close();
  await page.getByText("nobody else online").waitFor();
  expect(alice.name).toBe(await page.getByRole("region").getAttribute("aria-label"));
});
