/** The example applications in a real Chromium: two people each, and what happens to their pages, connections, gateway and sessions in a day. */
import { setImmediate } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, test, type ExpectStatic } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { startWorld, type World } from "../client-kit/world.ts";
import { launchBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { startPonglessServer } from "../support/pongless-server.ts";
import { buildApplication, loadApplication, openApplication, startWebServer, type Screen } from "./application.ts";

const [ALICE, BOB, CAROL] = DEMO_USERS;
const chatId = DEMO_CHATS.team;

/** Messages of a page of the applications, and the most that are replayed to a client that was away. */
const PAGE = 50;
const REPLAY_LIMIT = 20;

/** A silent network has to be noticed within 15 s, and may last a minute. */
const NOTICED_MS = 15_000;
const SILENT_MS = 60_000;

const LONG_SESSION_MS = 3_600_000;
const SHORT_SESSION_MS = 3000;

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser.close());

/** The identity provider of the applications. */
class Logins {
  sessionMs = LONG_SESSION_MS;
  readonly issued: string[] = [];
  readonly signedOut = new Set<string>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** @param user the development token that the page's address names. */
  issue(user: string): string | undefined {
    const { id } = DEMO_USERS.find(({ token }) => token === user) ?? CAROL;
    if (this.signedOut.has(id)) return undefined;
    const token = this.#world.api.data.issueToken(id, { expiresAt: new Date(Date.now() + this.sessionMs) });
    this.issued.push(token);
    return token;
  }
}

interface Scene extends AsyncDisposable {
  readonly world: World;
  readonly logins: Logins;
  readonly alice: Screen;
  readonly bob: Screen;
  /** The running test's own. */
  readonly expect: ExpectStatic;
}

async function open(name: string, expect: ExpectStatic): Promise<Scene> {
  await using opening = new AsyncDisposableStack();
  const web = opening.use(await startWebServer());
  // Every reconnect comes too late to resume.
  const late = {
    RESUME_WINDOW: "10",
    REPLAY_LIMIT: String(REPLAY_LIMIT),
    PRESENCE_GRACE: "0",
    TYPING_TIMEOUT: "600000",
  };
  const world = opening.use(await startWorld({ ...late, CORS_ORIGIN: web.origin }));
  await write(world, 1, PAGE + 10);
  const logins = new Logins(world);
  web.serve(await buildApplication(name, world.relay.url.replace(/^ws/, "http")), (user) => logins.issue(user));
  const [first, second] = await Promise.all([
    openApplication(browser, web.origin, ALICE.token),
    openApplication(browser, web.origin, BOB.token),
  ]);
  opening.use(first);
  opening.use(second);
  const opened = opening.move();
  return { world, logins, alice: first, bob: second, expect, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Writes numbered messages past the gateway, each in a millisecond of its own. */
async function write({ api }: World, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; number++) {
    const { createdAt } = api.data.addMessage({ chatId, senderId: CAROL.id, content: `live ${number}` });
    while (Date.now() <= Date.parse(createdAt)) await setImmediate();
  }
}

/** Sends numbered messages through the gateway, each in a millisecond of its own. */
async function send(world: World, from: number, to: number): Promise<void> {
  const client = world.connect(CAROL.token);
  for (let number = from; number <= to; number++) {
    await client.run(SendMessageDocument, { chatId, content: `live ${number}` });
    const now = Date.now();
    while (Date.now() === now) await setImmediate();
  }
}

function live({ alice, bob }: Scene): Promise<unknown> {
  return Promise.all([alice.live(), bob.live()]);
}

/** Both see what the REST API has, in the order of creation; nothing says which of two in one millisecond was first. */
async function expectEverything({ world, alice, bob, expect }: Scene): Promise<void> {
  const expectAll = async (screen: Screen): Promise<void> => {
    await screen.showAll();
    const persisted = world.api.data.messages(chatId);
    const contents = persisted.map(({ content }) => content).toSorted();
    await eventually(async () => expect((await screen.texts()).toSorted()).toEqual(contents));
    const createdAt = new Map(persisted.map((message) => [message.content, message.createdAt]));
    const instants = (await screen.texts()).map((text) => createdAt.get(text) ?? "");
    expect(instants).toEqual(instants.toSorted((a, b) => a.localeCompare(b)));
    expect(await screen.wrong()).toEqual([]);
  };
  await Promise.all([expectAll(alice), expectAll(bob)]);
}

/** A chat is opened while its history cannot be read. */
async function openWhileDown({ world, bob }: Scene): Promise<void> {
  const { faults } = world.api;
  const histories = { method: "GET", path: `/chats/${DEMO_CHATS.shop}/messages` };
  const before = faults.requests.count(histories);
  const outage = faults.unavailable(histories);
  await bob.chat("Corner Bookshop").click();
  // More often than the gateway itself tries.
  await faults.requests.arrived(before + 6, histories);
  outage.lift();
  await bob.message("And the atlas").waitFor();
}

async function useEverything({ alice, bob, expect }: Scene): Promise<void> {
  await alice.chat("Corner Bookshop").filter({ hasText: "2 unread" }).filter({ hasText: "1 online" }).waitFor();
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

/** Pages of history are loaded while messages come; then connections are cut. */
async function pageAndCut({ world, alice, bob }: Scene): Promise<void> {
  await Promise.all([send(world, 61, 80), alice.showAll()]);
  for (const number of [1, 2]) {
    await alice.send(`from Alice, ${number}`);
    world.relay.cut();
    await bob.send(`from Bob, ${number}`);
  }
  await Promise.all([alice.message("from Bob, 2").waitFor(), bob.message("from Alice, 2").waitFor()]);
}

/** A frozen page loses its connection. */
async function freezePage({ world, alice, bob }: Scene): Promise<void> {
  const session = await alice.page.context().newCDPSession(alice.page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  world.relay.cut();
  await send(world, 81, 85);
  await bob.message("live 85").waitFor();
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await alice.message("live 85").waitFor();
}

/** The network swallows everything for a minute, without an error. */
async function swallowEverything({ world, alice, bob }: Scene): Promise<void> {
  const both = [alice, bob];
  await Promise.all(both.map((screen) => screen.liveSoon()));
  world.relay.freeze();
  await send(world, 86, 90);
  await Promise.all(both.map((screen) => screen.page.clock.runFor(NOTICED_MS)));
  await Promise.all(both.map((screen) => screen.shows("reconnecting")));
  await Promise.all(both.map((screen) => screen.page.clock.runFor(SILENT_MS - NOTICED_MS)));
  await Promise.all(both.map((screen) => screen.shows("reconnecting")));
  world.relay.cut();
  world.relay.thaw();
  await Promise.all(both.map((screen) => screen.liveSoon()));
  await Promise.all(both.map((screen) => screen.message("live 90").waitFor()));
}

/** A page is offline for longer than the gateway remembers it. */
async function goOffline({ world, alice, bob }: Scene): Promise<void> {
  await alice.page.context().setOffline(true);
  await alice.shows("offline");
  await alice.send("written offline");
  await send(world, 91, 95);
  await bob.message("live 95").waitFor();
  await alice.page.context().setOffline(false);
  await alice.liveSoon();
  await Promise.all([alice.message("live 95").waitFor(), bob.message("written offline").waitFor()]);
}

/** Sessions end with their tokens, and go on with others, while messages come. */
async function renewTokens(scene: Scene): Promise<void> {
  const { world, logins, alice, bob, expect } = scene;
  logins.sessionMs = SHORT_SESSION_MS;
  const before = logins.issued.length;
  world.relay.cut();
  await send(world, 96, 105);
  // One for each connection, and another for each session.
  await eventually(() => expect(logins.issued.length).toBeGreaterThan(before + 4));
  await send(world, 106, 115);
  logins.sessionMs = LONG_SESSION_MS;
  await Promise.all([alice, bob].map((screen) => screen.message("live 115").waitFor()));
  await live(scene);
}

/** The page is left, and comes back from the back/forward cache or from the server. */
async function goBack({ world, alice, expect }: Scene): Promise<void> {
  expect(await alice.wrong()).toEqual([]);
  await alice.page.goto("about:blank");
  await send(world, 116, 120);
  await alice.page.goBack();
  await alice.message("live 120").waitFor();
  await alice.live();
}

/** Alice's session is revoked: her page asks for a login. */
async function revoke({ world, logins, alice, bob, expect }: Scene): Promise<void> {
  logins.signedOut.add(ALICE.id);
  for (const token of logins.issued) if (isOf(token, ALICE.id)) world.api.data.revokeToken(token);
  // Her page marks it as read.
  await bob.send("Are you still there?");
  await alice.shows("signed-out");
  expect(await alice.wrong()).toEqual([]);
  await send(world, 121, 125);
  logins.signedOut.clear();
  await alice.page.getByRole("button", { name: "Log in" }).click();
  await alice.message("live 125").waitFor();
  await alice.live();
}

function isOf(token: string, userId: string): boolean {
  return Buffer.from(token.split(".")[1] ?? "", "base64url")
    .toString()
    .includes(userId);
}

/** 500 messages are written while there is no gateway: more than is replayed, and more than a page. */
async function restartGateway(scene: Scene): Promise<void> {
  const { world, alice, bob } = scene;
  await world.restart(async () => {
    await alice.send("while there is no gateway");
    await write(world, 126, 625);
  });
  await Promise.all([alice.liveSoon(), bob.liveSoon()]);
  await send(world, 626, 635);
  await bob.message("while there is no gateway").waitFor();
  await alice.message("while there is no gateway").filter({ hasText: "read by Bob Brown" }).waitFor();
  await Promise.all([alice, bob].map((screen) => screen.message("live 635").waitFor()));
}

test.concurrent("a page gives up a connection that falls silent after something else has arrived, and before the pong", async ({
  expect,
}) => {
  await using web = await startWebServer();
  await using server = await startPonglessServer();
  web.serve(await buildApplication("react-urql", server.url.replace(/^ws/, "http")), () => ALICE.token);
  await using screen = await loadApplication(browser, web.origin, ALICE.token);
  await server.acknowledged.next();
  await screen.page.clock.runFor(NOTICED_MS);
  await screen.shows("reconnecting");
  await expect(server.acknowledged.next()).resolves.toBe(true);
});

test.concurrent.for(["react-kit", "react-apollo", "react-urql"])(
  "%s shows everything, once and in order, in a day of two pages",
  { timeout: 300_000 },
  async (name, { expect }) => {
    await using scene = await open(name, expect);
    await openWhileDown(scene);
    await useEverything(scene);
    await failAndRetry(scene);
    await pageAndCut(scene);
    await freezePage(scene);
    await swallowEverything(scene);
    await goOffline(scene);
    await renewTokens(scene);
    await goBack(scene);
    await revoke(scene);
    await expectEverything(scene);
    await restartGateway(scene);
    await expectEverything(scene);
    // Bob closes his tab.
    await scene.bob.page.close();
    await scene.alice.chat("Corner Bookshop").filter({ hasText: "0 online" }).waitFor();
  },
);
