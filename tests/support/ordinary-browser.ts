/** A Chromium as people have it, which Playwright's own is not: its pages always look visible, and are never kept for later. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium, type Browser, type BrowserContext } from "playwright-core";
import { CHROMIUM, FLAGS } from "./browser.ts";

export interface OrdinaryBrowser extends AsyncDisposable {
  readonly browser: Browser;
  /** A tab of it that is behind another is hidden and may be frozen; a page that is left goes into the back/forward cache. */
  readonly context: BrowserContext;
}

/** Rejects where Chromium does not start. */
export async function launchOrdinaryBrowser(): Promise<OrdinaryBrowser> {
  await using starting = new AsyncDisposableStack();
  const profile = await mkdtemp(join(tmpdir(), "chromium-"));
  // Chromium's own children write to it for a moment after it has exited.
  starting.defer(() => rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
  const flags = [...FLAGS, "--headless", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
  const child = spawn(CHROMIUM, flags, { stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(child, "exit");
  starting.defer(async () => {
    child.kill();
    await exited;
  });
  const browser = await chromium.connectOverCDP(await addressOf(child.stderr), { noDefaults: true });
  starting.defer(() => browser.close());
  const [context] = browser.contexts();
  if (!context) throw new Error("Chromium has no context of its own");
  const running = starting.move();
  return { browser, context, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Chromium prints it when it can be connected to. What it prints afterwards is dropped. */
async function addressOf(stderr: NodeJS.ReadableStream): Promise<string> {
  try {
    for await (const line of createInterface({ input: stderr })) {
      const [, address] = /DevTools listening on (ws:\S+)/.exec(line) ?? [];
      if (address !== undefined) return address;
    }
  } finally {
    // The end of the loop pauses it, and Chromium would wait for its reader.
    stderr.resume();
  }
  throw new Error("Chromium did not start");
}
