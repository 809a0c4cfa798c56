/** The hooks in a development build of React DOM, where StrictMode mounts every component twice. */
import { expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { buildApplication, openApplication, startWebServer } from "../examples/application.ts";
import { startWorld } from "./world.ts";

const NEWEST_PAGE = '"last":50';

test("StrictMode opens each room once, and closes what is not shown any more", async () => {
  await using stack = new AsyncDisposableStack();
  const web = stack.use(await startWebServer());
  const world = stack.use(await startWorld({ CORS_ORIGIN: web.origin }));
  const url = world.relay.url.replace(/^ws/, "http");
  const files = await buildApplication("react-kit", url);
  expect([...files.values()].join("\n")).toContain("react-dom-client.development.js");
  web.serve(files, (user) => user);
  const browser = await launchBrowser();
  stack.defer(() => browser.close());

  /** Operations that were started, and those that run. */
  const started: string[] = [];
  const running = new Map<string, string>();
  const screen = stack.use(
    await openApplication(browser, web.origin, "alice-token", (page) =>
      page.on("websocket", (socket) => {
        socket.on("framesent", ({ payload }) => {
          const { type, id, payload: operation } = JSON.parse(String(payload)) as Frame;
          if (type === "complete") running.delete(id);
          if (type !== "subscribe") return;
          started.push(JSON.stringify(operation));
          running.set(id, operation.query);
        });
      }),
    ),
  );
  const count = (queries: Iterable<string>, field: string): number =>
    [...queries].filter((query) => query.includes(field)).length;
  await screen.chat("Corner Bookshop").and(screen.page.locator("[aria-current=true]")).waitFor();
  await screen.message("Your book is at the counter").waitFor();
  // A room loads the newest page of its history when it is opened.
  const opened = [NEWEST_PAGE, "messageAdded", "readReceipt", "typingChanged"];
  expect(opened.map((part) => count(started, part))).toEqual([1, 1, 1, 1]);

  await screen.chat("Harbour Fair").click();
  await screen.message("Looking forward to it.").waitFor();
  await screen.live();
  await eventually(() => expect(count(running.values(), "messageAdded")).toBe(1));
  await screen.chat("Corner Bookshop").click();
  await screen.message("Your book is at the counter").waitFor();
  await screen.send("once");
  await screen.message("once").filter({ hasText: "sent" }).waitFor();
  await eventually(() => expect(count(running.values(), "messageAdded")).toBe(1));
  expect(opened.map((part) => count(started, part))).toEqual([3, 3, 3, 3]);
  expect((await screen.texts()).filter((text) => text === "once")).toEqual(["once"]);
  expect([await screen.wrong(), screen.complaints]).toEqual([[], []]);
});

interface Frame {
  readonly type: string;
  readonly id: string;
  readonly payload: { readonly query: string };
}
