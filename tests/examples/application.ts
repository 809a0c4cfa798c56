/** An example application in a browser tab, as one of the demo users sees it. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Locator, Page, WebSocket } from "playwright-core";
import { build } from "vite";
import { PATIENCE_MS, visit } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";

/** The files of a built application, by path. */
export type Files = ReadonlyMap<string, string | Uint8Array>;

/** What is wrong with the messages that a page shows, looked at after every change of the page. */
const WATCH = `
  const wrong = (window.wrong = new Set());
  new MutationObserver(() => {
    const texts = [...document.querySelectorAll("[role=log] .text")].map((text) => text.textContent);
    const twice = texts.filter((text, index) => texts.indexOf(text) < index);
    const numbers = texts.flatMap((text) => /^live (\\d+)$/.exec(text)?.[1] ?? []).map(Number);
    const gap = numbers.find((number, index) => index > 0 && number !== numbers[index - 1] + 1);
    for (const text of twice) wrong.add("twice: " + text);
    if (gap) wrong.add("not behind the one before: live " + gap);
  }).observe(document, { childList: true, subtree: true, characterData: true });
`;

/**
 * Builds `examples/<name>` for the gateway at `gatewayUrl`, with React's development build: a test's `NODE_ENV` is not `production`, and
 * Vite's plugin for React goes by that.
 */
export async function buildApplication(name: string, gatewayUrl: string): Promise<Files> {
  const built = await build({
    root: `examples/${name}`,
    logLevel: "warn",
    define: {
      "process.env.NODE_ENV": JSON.stringify("development"),
      "import.meta.env.VITE_GATEWAY_URL": JSON.stringify(gatewayUrl),
      "import.meta.env.VITE_TOKEN_URL": JSON.stringify("/token"),
    },
    build: { write: false, minify: false },
  });
  if (!("output" in built)) throw new Error("Vite has built something else than one application.");
  return new Map(built.output.map((file) => [file.fileName, file.type === "chunk" ? file.code : file.source]));
}

/** A web server on loopback. */
export interface WebServer extends AsyncDisposable {
  readonly origin: string;
  /** What it serves from now on, and who is signed in: `issue` answers with a token for the user that the page names. */
  serve(files: Files, issue: (user: string) => string | undefined): void;
}

export async function startWebServer(): Promise<WebServer> {
  let served: Files = new Map();
  let issueToken: Parameters<WebServer["serve"]>[1] = () => undefined;
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    const path = pathname.slice(1) || "index.html";
    const isToken = path === "token";
    const body = isToken ? issueToken(searchParams.get("token") ?? "") : served.get(path);
    const missing = isToken ? 401 : 404;
    response.writeHead(body === undefined ? missing : 200, { "content-type": contentType(path) }).end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    serve(files, issue) {
      served = files;
      issueToken = issue;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Less than a page waits for a pong. */
const SHORT_MS = 2000;

/** What a person sees of an application, and does with it. */
export class Screen implements AsyncDisposable {
  readonly page: Page;
  readonly complaints: readonly string[];
  readonly #close: () => Promise<void>;
  /** Those of the page that are open, or being opened. */
  readonly #connections = new Set<WebSocket>();

  constructor(page: Page, complaints: readonly string[], close: () => Promise<void>) {
    this.page = page;
    this.complaints = complaints;
    this.#close = close;
    page.on("websocket", (socket) => {
      this.#connections.add(socket);
      socket.on("close", () => void this.#connections.delete(socket));
    });
    // The browser does not say of the page before that its connections are closed.
    page.on("framenavigated", () => this.#connections.clear());
  }

  chat(title: string): Locator {
    return this.page.getByRole("navigation", { name: "Chats" }).getByRole("button", { name: title });
  }

  message(text: string): Locator {
    return this.page.getByRole("log").getByRole("listitem").filter({ hasText: text });
  }

  get typing(): Locator {
    return this.page.getByRole("note");
  }

  get field(): Locator {
    return this.page.getByRole("textbox", { name: "Message" });
  }

  async send(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  live(): Promise<void> {
    return this.shows("live");
  }

  /** Resolves when the connection's state is shown so. */
  async shows(status: string): Promise<void> {
    await this.page
      .getByRole("status")
      .filter({ hasText: new RegExp(`^${status}$`) })
      .waitFor();
  }

  /**
   * Lets the page's clock run until it is live: the wait for the next attempt to connect may be long. An attempt itself has the machine's
   * own time: at a faster pace the page would give it up before the gateway can answer.
   */
  async liveSoon(): Promise<void> {
    await eventually(async () => {
      const status = await this.page.getByRole("status").textContent();
      if (status === "live") return;
      if (this.#connections.size === 0) await this.page.clock.runFor(SHORT_MS);
      throw new Error(`the page is ${status}, not live`);
    }, PATIENCE_MS);
  }

  /** Presses the button for older messages until there is none. */
  async showAll(): Promise<void> {
    const older = this.page.getByRole("button", { name: "Older messages" });
    const first = this.page.getByRole("log").getByRole("listitem").first();
    while ((await older.count()) > 0) {
      const before = await first.textContent();
      await older.click();
      await first.filter({ hasNotText: before ?? "" }).waitFor();
    }
  }

  texts(): Promise<string[]> {
    return this.page.getByRole("log").locator(".text").allTextContents();
  }

  /** Messages that were shown twice, or not in their place, if only for a moment. */
  wrong(): Promise<string[]> {
    return this.page.evaluate<string[]>("[...wrong]");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/**
 * Loads an application in a browser context of its own.
 *
 * @param watch called with the page before it is loaded.
 */
export async function loadApplication(
  browser: Browser,
  origin: string,
  token: string,
  watch?: (page: Page) => void,
): Promise<Screen> {
  const { context, complaints } = await visit(browser, origin);
  await context.addInitScript(WATCH);
  const page = await context.newPage();
  await page.clock.install();
  watch?.(page);
  await page.goto(`${origin}/?token=${token}`);
  return new Screen(page, complaints, () => context.close());
}

/** Loads an application as {@link loadApplication} does, and resolves when it is live. */
export async function openApplication(...how: Parameters<typeof loadApplication>): Promise<Screen> {
  const screen = await loadApplication(...how);
  await screen.live();
  return screen;
}

function contentType(path: string): string {
  if (path.endsWith(".html")) return "text/html";
  return path.endsWith(".css") ? "text/css" : "text/javascript";
}
