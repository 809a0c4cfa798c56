/** The example applications in a real Chromium: two people each, and a gateway behind a relay that is cut and a gateway that is restarted. */
import { setImmediate } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, test, vi, type ExpectStatic } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { startWorld, type World } from "../client-kit/world.ts";
import { launchBrowser } from "../support/browser.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { buildApplication, openApplication, startWebServer, type Screen } from "./application.ts";

const [, , carol] = DEMO_USERS;
const chatId = DEMO_CHATS.team;

/** Messages of a page of the applications, and the most that are replayed to a client that was away. */
const PAGE = 50;
const REPLAY_LIMIT = 20;

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser.close());

interface Scene extends AsyncDisposable {
  readonly world: World;
  readonly alice: Screen;
  readonly bob: Screen;
  /** The running test's own. */
  readonly expect: ExpectStatic;
}

async function open(name: string, expect: ExpectStatic): Promise<Scene> {
  await using opening = new AsyncDisposableStack();
  const web = opening.use(await startWebServer());
  // Every reconnect comes too late to resume.
  const late = { RESUME_WINDOW: "10", REPLAY_LIMIT: String(REPLAY_LIMIT) };
  const world = opening.use(await startWorld({ ...late, CORS_ORIGIN: web.origin }));
  await write(world, 1, PAGE + 10);
  web.serve(await buildApplication(name, world.relay.url.replace(/^ws/, "http")));
  const [alice, bob] = await Promise.all([
    openApplication(browser, web.origin, "alice-token"),
    openApplication(browser, web.origin, "bob-token"),
  ]);
  opening.use(alice);
  opening.use(bob);
  const opened = opening.move();
  return { world, alice, bob, expect, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Writes numbered messages past the gateway, each in a millisecond of its own. */
async function write({ api }: World, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; number++) {
    const { createdAt } = api.data.addMessage({ chatId, senderId: carol.id, content: `live ${number}` });
    while (Date.now() <= Date.parse(createdAt)) await setImmediate();
  }
}

/** Sends numbered messages through the gateway. */
async function send(world: World, from: number, to: number): Promise<void> {
  const client = world.connect(carol.token);
  for (let number = from; number <= to; number++) {
    await client.run(SendMessageDocument, { chatId, content: `live ${number}` });
  }
}

/** Both see what the REST API has, in the order of creation; nothing says which of two in one millisecond was first. */
async function expectEverything({ world, alice, bob, expect }: Scene): Promise<void> {
  const expectAll = async (screen: Screen): Promise<void> => {
    await screen.showAll();
    const persisted = world.api.data.messages(chatId);
    const contents = persisted.map(({ content }) => content).toSorted();
    await vi.waitFor(async () => expect((await screen.texts()).toSorted()).toEqual(contents), {
      timeout: 30_000,
      interval: 20,
    });
    const createdAt = new Map(persisted.map((message) => [message.content, message.createdAt]));
    const instants = (await screen.texts()).map((text) => createdAt.get(text) ?? "");
    expect(instants).toEqual(instants.toSorted((a, b) => a.localeCompare(b)));
    expect(await screen.wrong()).toEqual([]);
  };
  await Promise.all([expectAll(alice), expectAll(bob)]);
}

async function useEverything({ alice, bob, expect }: Scene): Promise<void> {
  await alice.chat("Corner Bookshop").filter({ hasText: "2 unread" }).filter({ hasText: "1 online" }).waitFor();
  await bob.chat("Corner Bookshop").click();
  await bob.send("Is it still there?");
  await alice.chat("Corner Bookshop").filter({ hasText: "3 unread" }).filter({ hasText: "Is it still" }).waitFor();
  await alice.chat("Corner Bookshop").click();
  await bob.message("Is it still there?").filter({ hasText: "read by Alice Adams" }).waitFor();
  await alice.chat("Corner Bookshop").filter({ hasNotText: "unread" }).waitFor();
  await bob.field.pressSequentially("And");
  await alice.typing.filter({ hasText: "Bob Brown" }).waitFor();
  await alice.send("Come and see");
  await bob.message("Come and see").waitFor();
  expect([...alice.complaints, ...bob.complaints]).toEqual([]);
  await Promise.all([alice, bob].map((screen) => screen.chat("Harbour Fair").click()));
  await Promise.all([alice, bob].map((screen) => screen.message("live 60").waitFor()));
}

async function failAndRetry({ world, alice, bob }: Scene): Promise<void> {
  world.api.faults.answer({ status: 400, body: { error: "No" } }, { method: "POST", times: 1 });
  await alice.send("once more");
  await alice.message("once more").filter({ hasText: "failed" }).getByRole("button", { name: "Retry" }).click();
  await bob.message("once more").waitFor();
  await alice.message("once more").filter({ hasText: "read by Bob Brown" }).waitFor();
}

test.concurrent.for(["react-kit", "react-apollo", "react-urql"])(
  "%s shows everything, once and in order",
  { timeout: 240_000 },
  async (name, { expect }) => {
    await using scene = await open(name, expect);
    const { world, alice, bob } = scene;
    await useEverything(scene);
    await failAndRetry(scene);

    // History is loaded while messages come.
    await Promise.all([send(world, 61, 80), alice.showAll()]);
    for (const number of [1, 2]) {
      await alice.send(`from Alice, ${number}`);
      world.relay.cut();
      await bob.send(`from Bob, ${number}`);
    }
    await Promise.all([alice.message("from Bob, 2").waitFor(), bob.message("from Alice, 2").waitFor()]);
    await expectEverything(scene);

    // While there is no gateway, more is written than is replayed, and more than a page.
    const last = 80 + PAGE + 5;
    await world.restart(async () => {
      await alice.send("while there is no gateway");
      await write(world, 81, last);
    });
    await Promise.all([alice.live(), bob.live()]);
    await send(world, last + 1, last + 10);
    await bob.message("while there is no gateway").waitFor();
    await alice.message("while there is no gateway").filter({ hasText: "read by Bob Brown" }).waitFor();
    await expectEverything(scene);
  },
);
