/** `npm run screenshot`: the demo as README shows it, and its connection states, written to `docs/images/`. Needs Debian's chromium. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type Locator, type Page, type WebSocketRoute } from "playwright-core";
import { parseConfig } from "../src/config/config.ts";
import { DEMO_CHATS, DEMO_USERS } from "../src/dev/seed.ts";
import { createGateway, type Gateway } from "../src/gateway.ts";

const FOLDER = "docs/images";

const QUIET = { PORT: "0", HOST: "127.0.0.1", DEV_API_FILE: ":memory:", LOG_LEVEL: "silent", DRAIN_WINDOW: "0" };

const [alice, bob, carol] = DEMO_USERS;

/** A minute apart. */
const CONVERSATION = [
  [carol, "The weather will hold until Sunday."],
  [bob, "Tables are in the van, twelve chairs too."],
  [alice, "Posters are up along the pier."],
] as const;

interface Look {
  readonly width: number;
  readonly height: number;
  readonly colorScheme: "light" | "dark";
}

const DESK: Look = { width: 1180, height: 740, colorScheme: "light" };
const PHONE: Look = { width: 390, height: 780, colorScheme: "dark" };

function pane(page: Page, name: string): Locator {
  return page.getByRole("region", { name, exact: true });
}

async function untilStatus(person: Locator, text: string): Promise<void> {
  await person.getByRole("status").filter({ hasText: text }).waitFor();
}

async function openDemo(browser: Browser, gateway: Gateway, { width, height, colorScheme }: Look): Promise<Page> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, deviceScaleFactor: 1.5 });
  const page = await context.newPage();
  await page.goto(new URL("/demo", gateway.url).href);
  for (const { name } of [alice, bob]) await untilStatus(pane(page, name), "Live");
  return page;
}

function converse({ devApi }: Gateway): void {
  for (const [index, [{ id: senderId }, content]] of CONVERSATION.entries()) {
    const createdAt = new Date(Date.now() - (CONVERSATION.length - index) * 60_000).toISOString();
    devApi?.data.addMessage({ chatId: DEMO_CHATS.team, senderId, content, createdAt });
  }
}

/** Alice has read a message of Bob, who types; two are unread in the other chat. */
async function chat(page: Page): Promise<void> {
  const [left, right] = [pane(page, alice.name), pane(page, bob.name)];
  await send(right, "See you at eight, at the tents?");
  await send(left, "Yes! I bring coffee.");
  await right.getByRole("textbox").pressSequentially("Perfect");
  await left.getByText("Bob is typing").waitFor();
}

/** Resolves when the other has read it. */
async function send(from: Locator, text: string): Promise<void> {
  await from.getByRole("textbox").fill(text);
  await from.getByRole("textbox").press("Enter");
  await from
    .locator(".log li")
    .last()
    .getByRole("img", { name: /read by/ })
    .waitFor();
}

function image(png: Buffer): string {
  return `<img src="data:image/png;base64,${png.toString("base64")}">`;
}

/** Both looks beside each other. */
async function combine(browser: Browser, desk: Buffer, phone: Buffer): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 720 } });
  const page = await context.newPage();
  await page.setContent(`<style>
    body { margin: 0; display: flex; gap: 20px; width: max-content; }
    img { height: 690px; border: 1px solid #8a94a3; border-radius: 16px; }
  </style>${image(desk)}${image(phone)}`);
  await page.locator("body").screenshot({ path: join(FOLDER, "demo.png"), omitBackground: true });
  await context.close();
}

/** What becomes of the page's WebSockets. */
interface Network {
  /** `silent`: they open, and nobody answers. `behind`: the gateway never says that a subscription is live. */
  mode: "normal" | "silent" | "behind";
  /** Closes the sockets that are open. */
  cut(): void;
}

async function disturb(page: Page): Promise<Network> {
  const sockets = new Set<WebSocketRoute>();
  const network: Network = {
    mode: "normal",
    cut() {
      for (const socket of sockets) void socket.close();
      sockets.clear();
    },
  };
  await page.routeWebSocket(/\/graphql$/, (socket) => {
    sockets.add(socket);
    if (network.mode === "silent") return;
    socket.connectToServer().onMessage((message) => {
      if (network.mode !== "behind" || !String(message).includes('"state":"live"')) socket.send(message);
    });
  });
  return network;
}

/** The head of Alice's pane in each connection state. */
async function connectionStates(browser: Browser, gateway: Gateway): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 480, height: 700 }, deviceScaleFactor: 1.5 });
  const page = await context.newPage();
  const network = await disturb(page);
  const person = pane(page, alice.name);
  const save = async (state: string, text: string): Promise<void> => {
    await untilStatus(person, text);
    const header = person.locator("header").first();
    await header.screenshot({ path: join(FOLDER, `state-${state}.png`) });
  };
  network.mode = "silent";
  await page.goto(new URL("/demo?user=0", gateway.url).href);
  await save("connecting", "Connecting");
  network.mode = "behind";
  network.cut();
  await save("catching-up", "Catching up");
  network.mode = "normal";
  network.cut();
  await save("live", "Live");
  network.mode = "silent";
  network.cut();
  await save("reconnecting", "Reconnecting");
  network.mode = "normal";
  network.cut();
  await untilStatus(person, "Live");
  await person.getByRole("button", { name: "Offline" }).click();
  await save("offline", "Offline");
  await person.getByRole("button", { name: "Offline" }).click();
  await untilStatus(person, "Live");
  gateway.devApi?.data.signOut(alice.id);
  await save("signed-out", "Signed out");
  await context.close();
}

mkdirSync(FOLDER, { recursive: true });
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
await using gateway = await createGateway(parseConfig(QUIET));
converse(gateway);
const desk = await openDemo(browser, gateway, DESK);
await chat(desk);
const deskImage = await desk.locator("main").screenshot();
const phone = await openDemo(browser, gateway, PHONE);
const phoneImage = await phone.screenshot();
await combine(browser, deskImage, phoneImage);
await connectionStates(browser, gateway);
await browser.close();
