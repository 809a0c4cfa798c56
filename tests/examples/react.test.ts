/** The example applications in a real Chromium, with two people each, one gateway behind a relay, and its restart. */
import { setImmediate } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { startWorld, type World } from "../client-kit/world.ts";
import { launchBrowser } from "../support/browser.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { buildApplication, openApplication, startWebServer, type Screen } from "./application.ts";

const [, , carol] = DEMO_USERS;
const chatId = DEMO_CHATS.team;

/** Messages of a page of the applications, and so many more than are replayed to a client that was away. */
const PAGE = 50;
const REPLAY_LIMIT = 20;

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser.close());

describe.each(["react-kit"])("the example %s", (name) => {
  let world: World;
  let alice: Screen;
  let bob: Screen;
  let opened: AsyncDisposableStack;

  /** Past the gateway, each in a millisecond of its own. */
  async function write(from: number, to: number): Promise<void> {
    for (let number = from; number <= to; number++) {
      const { createdAt } = world.api.data.addMessage({ chatId, senderId: carol.id, content: `live ${number}` });
      while (Date.now() <= Date.parse(createdAt)) await setImmediate();
    }
  }

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack();
    const web = opening.use(await startWebServer());
    // Every reconnect comes too late to resume.
    const late = { RESUME_WINDOW: "10", REPLAY_LIMIT: String(REPLAY_LIMIT) };
    world = opening.use(await startWorld({ ...late, CORS_ORIGIN: web.origin }));
    await write(1, 2 * PAGE + 10);
    web.serve(await buildApplication(name, world.relay.url.replace(/^ws/, "http")));
    [alice, bob] = await Promise.all([
      openApplication(browser, web.origin, "alice-token"),
      openApplication(browser, web.origin, "bob-token"),
    ]);
    opening.use(alice);
    opening.use(bob);
    opened = opening.move();
  });

  afterAll(() => opened.disposeAsync());

  /** Everything that the REST API has, in the order of creation; nothing says which of two in one millisecond was first. */
  async function expectEverything(): Promise<void> {
    for (const screen of [alice, bob]) {
      await screen.showAll();
      const texts = (): readonly string[] => world.api.data.messages(chatId).map(({ content }) => content);
      await expect.poll(async () => (await screen.texts()).toSorted()).toEqual(texts().toSorted());
      const createdAt = new Map(world.api.data.messages(chatId).map((message) => [message.content, message.createdAt]));
      const instants = (await screen.texts()).map((text) => createdAt.get(text) ?? "");
      expect(instants).toEqual(instants.toSorted((a, b) => a.localeCompare(b)));
      expect(await screen.wrong()).toEqual([]);
    }
  }

  test("shows the list of chats, unread counts, presence, typing and ticks", async () => {
    await alice.chat("Corner Bookshop").filter({ hasText: "2 unread" }).filter({ hasText: "1 online" }).waitFor();
    await bob.chat("Corner Bookshop").click();
    await bob.field.pressSequentially("Is it");
    await bob.send("Is it still there?");
    await alice
      .chat("Corner Bookshop")
      .filter({ hasText: "3 unread" })
      .filter({ hasText: "Is it still there?" })
      .waitFor();
    await alice.chat("Corner Bookshop").click();
    await bob.message("Is it still there?").filter({ hasText: "read by Alice Adams" }).waitFor();
    await alice.chat("Corner Bookshop").filter({ hasNotText: "unread" }).waitFor();
    await bob.field.pressSequentially("And");
    await alice.typing.filter({ hasText: "Bob Brown" }).waitFor();
    await alice.send("Come and see");
    await bob.message("Come and see").waitFor();
    expect([...alice.complaints, ...bob.complaints]).toEqual([]);
    await Promise.all([alice, bob].map((screen) => screen.chat("Harbour Fair").click()));
    await Promise.all([alice, bob].map((screen) => screen.message("live 110").waitFor()));
  });

  test("shows a message that failed, and sends it again", async () => {
    world.api.faults.answer({ status: 400, body: { error: "No" } }, { method: "POST", times: 1 });
    await alice.send("once more");
    await alice.message("once more").filter({ hasText: "failed" }).getByRole("button", { name: "Retry" }).click();
    await bob.message("once more").waitFor();
    await alice.message("once more").filter({ hasText: "read by Bob Brown" }).waitFor();
    expect((await alice.texts()).filter((text) => text === "once more")).toHaveLength(1);
  });

  test("shows everything once and in order: live traffic, cuts, a restart", async () => {
    const live = async (client: ReturnType<World["connect"]>, from: number): Promise<void> => {
      for (let number = from; number < from + 20; number++) {
        await client.run(SendMessageDocument, { chatId, content: `live ${number}` });
      }
    };
    // History is loaded while messages come.
    await Promise.all([live(world.connect(carol.token), 111), alice.showAll()]);
    for (let number = 1; number <= 3; number++) {
      await alice.send(`from Alice, ${number}`);
      world.relay.cut();
      await bob.send(`from Bob, ${number}`);
    }
    await Promise.all([alice.message("from Bob, 3").waitFor(), bob.message("from Alice, 3").waitFor()]);
    await expectEverything();

    // While there is no gateway, more is written than is replayed, and more than a page.
    await world.restart(async () => {
      await alice.send("while there is no gateway");
      await write(131, 131 + PAGE + REPLAY_LIMIT);
    });
    await Promise.all([alice.live(), bob.live()]);
    await live(world.connect(carol.token), 132 + PAGE + REPLAY_LIMIT);
    await bob.message("while there is no gateway").waitFor();
    await alice.message("while there is no gateway").filter({ hasText: "read by Bob Brown" }).waitFor();
    await expectEverything();
  });
});
