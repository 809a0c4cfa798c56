/** The demo in a real Chromium: it is built on the client kit and its hooks, and is their browser test. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import { launchBrowser, visit, type Visitor } from "../support/browser.ts";
import { startGateway } from "../support/gateway.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What the page is looked at with. */
const LOOKS = (["light", "dark"] as const).flatMap((colorScheme) => [
  { width: 1300, height: 850, colorScheme },
  { width: 360, height: 740, colorScheme },
]);

interface Opened extends AsyncDisposable {
  readonly page: Page;
  readonly visitor: Visitor;
  readonly gateway: Gateway;
  readonly alice: Locator;
  readonly bob: Locator;
}

async function open(browser: Browser): Promise<Opened> {
  await using starting = new AsyncDisposableStack();
  const config = parseConfig({
    PORT: "0",
    HOST: "127.0.0.1",
    DEV_API_FILE: ":memory:",
    LOG_LEVEL: "silent",
    DRAIN_WINDOW: "0",
    TYPING_TIMEOUT: "600000",
  });
  const gateway = starting.use(await createGateway(config));
  const visitor = starting.use(await visit(browser, gateway.url));
  const page = await visitor.context.newPage();
  await page.goto(new URL("/demo", gateway.url).href);
  const pane = (name: string): Locator => page.getByRole("region", { name, exact: true });
  const [alice, bob] = [pane("Alice Adams"), pane("Bob Brown")];
  await Promise.all([status(alice, "Live"), status(bob, "Live")]);
  const running = starting.move();
  return { page, visitor, gateway, alice, bob, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function status(pane: Locator, text: string): Promise<void> {
  await pane.getByRole("status").filter({ hasText: text }).waitFor();
}

async function write(pane: Locator, text: string): Promise<void> {
  await pane.getByRole("textbox").fill(text);
  await pane.getByRole("textbox").press("Enter");
}

function press(pane: Locator, name: string): Promise<void> {
  return pane.getByRole("button", { name }).click();
}

/** The texts of the messages that a person sees. */
function texts(pane: Locator): Promise<string[]> {
  return pane.locator(".log .text").allInnerTexts();
}

function message(pane: Locator, text: string): Locator {
  return pane.locator(".log li").filter({ hasText: text });
}

describe("the demo", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  test("lets two people chat: list, presence, typing, ticks", async () => {
    await using demo = await open(browser);
    const { alice, bob, visitor } = demo;
    await alice.getByRole("button", { name: /Harbour Fair.*somebody is online/ }).waitFor();
    await bob.getByRole("textbox").pressSequentially("Hel");
    await alice.getByText("Bob is typing …").waitFor();
    await write(bob, "Hello Alice");
    await message(alice, "Hello Alice").waitFor();
    await alice.getByText("Bob is typing …").waitFor({ state: "hidden" });
    await message(bob, "Hello Alice").getByRole("img", { name: "read by Alice" }).waitFor();
    // In a chat that is not open, messages are counted.
    await alice.getByRole("button", { name: /Corner Bookshop.*2 unread/ }).waitFor();
    await press(bob, "Corner Bookshop");
    await write(bob, "In the other chat");
    await alice.getByRole("button", { name: /Corner Bookshop.*3 unread/ }).waitFor();
    await press(alice, "Corner Bookshop");
    await message(bob, "In the other chat").getByRole("img", { name: "read by Alice" }).waitFor();
    await alice.getByRole("button", { name: /Corner Bookshop.*unread/ }).waitFor({ state: "hidden" });
    expect([visitor.complaints, visitor.foreignRequests]).toEqual([[], []]);
  });

  test("loses and repeats nothing, whatever becomes of the connection", async () => {
    await using demo = await open(browser);
    const { alice, bob } = demo;
    const before = await texts(alice);
    await press(alice, "Cut the connection");
    await write(bob, "after the cut");
    await message(alice, "after the cut").waitFor();

    await press(alice, "Offline");
    await status(alice, "Offline");
    await write(alice, "written offline");
    await message(alice, "written offline").getByRole("img", { name: "queued" }).waitFor();
    await write(bob, "meanwhile");
    await press(alice, "Offline");
    await message(bob, "written offline").waitFor();
    await status(alice, "Live");

    await press(bob, "Restart the gateway’s sockets");
    await write(alice, "after the restart");
    await message(bob, "after the restart").waitFor();

    await press(alice, "Expire the token");
    await write(bob, "the last one");
    await message(alice, "the last one").waitFor();
    const expected = [...before, "after the cut", "meanwhile", "written offline", "after the restart", "the last one"];
    await Promise.all([status(alice, "Live"), status(bob, "Live")]);
    expect(await texts(alice)).toEqual(expected);
    expect(await texts(bob)).toEqual(expected);
  });

  test("shows a message that failed, and sends it again", async () => {
    await using demo = await open(browser);
    const { alice, gateway } = demo;
    gateway.devApi?.faults.answer({ status: 400, body: { error: "No" } }, { method: "POST", times: 1 });
    await write(alice, "again");
    await message(alice, "again").getByRole("img", { name: "failed" }).waitFor();
    await press(message(alice, "again"), "Retry");
    await message(alice, "again")
      .getByRole("img", { name: /sent|read/ })
      .waitFor();
    expect((await texts(alice)).filter((text) => text === "again")).toHaveLength(1);
  });

  test("has no accessibility problem and fits, in each state, on a desk and a phone, light and dark", async () => {
    await using demo = await open(browser);
    const { page, alice, bob, gateway } = demo;
    const cdp = await page.context().newCDPSession(page);
    // The page's policy lets no script in; the debugger may.
    await cdp.send("Runtime.evaluate", { expression: axe });
    const found: unknown[] = [];
    const check = async (state: string): Promise<void> => {
      for (const look of LOOKS) {
        await page.setViewportSize(look);
        await page.emulateMedia(look);
        const problems = await page.evaluate(
          "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))",
        );
        const excess = Number(await page.evaluate("document.documentElement.scrollWidth")) - look.width;
        if (excess > 0 || JSON.stringify(problems) !== "[]") found.push({ state, look, problems, excess });
      }
    };
    await check("live");

    gateway.devApi?.faults.answer({ status: 400, body: { error: "No" } }, { method: "POST", times: 1 });
    await write(alice, "failed".repeat(50));
    await alice.getByRole("button", { name: "Retry" }).waitFor();
    await bob.getByRole("textbox").pressSequentially("typing");
    await press(bob, "Offline");
    await write(bob, "queued");
    await message(bob, "queued").getByRole("img", { name: "queued" }).waitFor();
    await check("a message failed, another is queued");

    gateway.devApi?.data.signOut(DEMO_USERS[0].id);
    await status(alice, "Signed out");
    await check("signed out");
    expect(found).toEqual([]);
  });

  test("is used without a mouse", async () => {
    await using demo = await open(browser);
    const { page, alice, bob } = demo;
    const tabTo = async (target: Locator): Promise<void> => {
      await expect
        .poll(async () => {
          await page.keyboard.press("Tab");
          return page.locator(":focus").and(target).count();
        })
        .toBe(1);
    };
    await tabTo(alice.getByRole("button", { name: "Offline" }));
    await page.keyboard.press("Space");
    await status(alice, "Offline");
    await page.keyboard.press("Space");
    await status(alice, "Live");
    await tabTo(alice.getByRole("button", { name: /Corner Bookshop/ }));
    await page.keyboard.press("Enter");
    await alice.getByRole("heading", { name: /Corner Bookshop/ }).waitFor();
    await tabTo(alice.getByRole("log"));
    await tabTo(alice.getByRole("textbox"));
    await page.keyboard.type("From the keyboard");
    await page.keyboard.press("Enter");
    await bob.getByRole("button", { name: /Corner Bookshop.*1 unread.*From the keyboard/ }).waitFor();
    expect(await page.locator(":focus").and(alice.getByRole("textbox")).count()).toBe(1);
  });
});

test("the page is small, and there is none without the embedded API", async () => {
  expect(readFileSync("src/server/demo/demo.html").length).toBeLessThan(150_000);
  await using gateway = await startGateway();
  expect((await fetch(new URL("/demo", gateway.url))).status).toBe(404);
  expect((await fetch(new URL("/demo/session?user=0", gateway.url), { method: "POST" })).status).toBe(404);
});
