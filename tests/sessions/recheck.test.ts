/** Every token with an open connection is asked about again: whether it is still good, and what chats its user is in. */
import { describe, expect, test } from "vitest";
import type { Undoable } from "../../src/dev/data.ts";
import type { Faults, TimedAim } from "../../src/dev/faults.ts";
import {
  CLOSED,
  alice,
  bob,
  carol,
  CHATS,
  messages,
  nextContent,
  RECHECK_INTERVAL_MS,
  send,
  shop,
  startScene,
  team,
  type Scene,
} from "./scene.ts";

/** How often the REST API has been asked whose a token is, and for its chats. */
function asked({ api }: Scene, token: string): readonly number[] {
  return ["/auth/profile", "/chats"].map((path) => api.faults.requests.count({ path, token }));
}

/** Asks again about the one token whose turn it is next. Resolves when the REST API has got both questions. */
async function recheckNext(scene: Scene, token: string): Promise<void> {
  const [, before = 0] = asked(scene, token);
  scene.clock.advanceToNext();
  await scene.api.faults.requests.arrived(before + 1, { path: "/chats", token });
}

/** Equal questions under way are one, so that nobody knows how many there are after several intervals. */
async function expectAskedAgain({ api }: Scene, token: string): Promise<void> {
  const match = { path: "/auth/profile", token };
  await api.faults.requests.arrived(api.faults.requests.count(match) + 1, match);
}

test("a token is asked about once however many connections it has, time and again", async () => {
  await using scene = await startScene();
  await using stack = new AsyncDisposableStack();
  const clients = await Promise.all(Array.from({ length: 5 }, () => scene.open(alice.token)));
  for (const client of clients) stack.use(client);
  expect(asked(scene, alice.token)).toEqual([1, 1]);
  for (let times = 2; times < 6; times++) {
    const now = scene.clock.now();
    await recheckNext(scene, alice.token);
    expect(scene.clock.now() - now).toBeLessThanOrEqual(RECHECK_INTERVAL_MS);
    // Answered after what was asked before, over the same connection to the REST API or another.
    for (const client of clients) await client.run({ query: "{ me { id } }" });
    expect(asked(scene, alice.token)).toEqual([times, times]);
  }
});

test("tokens of one user are asked about each", async () => {
  await using scene = await startScene();
  const other = scene.issue(alice.id);
  await using one = await scene.open(alice.token);
  await using two = await scene.open(other);
  scene.clock.advance(RECHECK_INTERVAL_MS);
  for (const token of [alice.token, other]) {
    for (const path of ["/auth/profile", "/chats"]) await scene.api.faults.requests.arrived(2, { path, token });
  }
  expect(scene.clock.dueTimes).toHaveLength(2);
  for (const client of [one, two]) await client.run(CHATS);
});

test("a hundred tokens that came at once are asked about within the interval, but not at once", async () => {
  await using scene = await startScene();
  await using stack = new AsyncDisposableStack();
  const { data, faults } = scene.api;
  const tokens = Array.from({ length: 100 }, (_, n) => data.createUser({ name: `User ${n}` }).token);
  for (const client of await Promise.all(tokens.map((token) => scene.open(token)))) stack.use(client);
  const start = scene.clock.now();
  const due = scene.clock.dueTimes;
  expect(due).toHaveLength(100);
  expect(new Set(due).size).toBeGreaterThan(50);
  expect(Math.max(...due) - Math.min(...due)).toBeGreaterThan(RECHECK_INTERVAL_MS / 4);
  expect(Math.max(...due)).toBeLessThanOrEqual(start + RECHECK_INTERVAL_MS);
  scene.clock.advance(RECHECK_INTERVAL_MS);
  await Promise.all(
    tokens.flatMap((token) => ["/auth/profile", "/chats"].map((path) => faults.requests.arrived(2, { path, token }))),
  );
  // Nor do they meet again at the next occasion.
  expect(new Set(scene.clock.dueTimes).size).toBeGreaterThan(50);
});

test("with more tokens than the budget allows for, the interval stretches and everybody is still asked about", async () => {
  // With EVENTS_SECRET, as scenes have it, two requests a second are left of ten.
  await using scene = await startScene({ SESSION_RECHECK_BUDGET: "10" });
  await using stack = new AsyncDisposableStack();
  const { data, faults } = scene.api;
  const tokens = Array.from({ length: 90 }, (_, n) => data.createUser({ name: `User ${n}` }).token);
  for (const client of await Promise.all(tokens.map((token) => scene.open(token)))) stack.use(client);
  const stretchedMs = (tokens.length * 2 * 1000) / (0.75 * 2);
  const start = scene.clock.now();
  scene.clock.advance(RECHECK_INTERVAL_MS / 2);
  const latest = Math.max(...scene.clock.dueTimes) - start;
  expect(latest).toBeGreaterThan(RECHECK_INTERVAL_MS);
  expect(latest).toBeLessThanOrEqual(stretchedMs);
  scene.clock.advance(stretchedMs);
  await Promise.all(tokens.map((token) => faults.requests.arrived(2, { path: "/auth/profile", token })));
});

describe("where /auth/profile answers", () => {
  test.each([401, 403, 404, 410])("%i, the session ends, and is asked about no more", async (status) => {
    await using scene = await startScene();
    await using control = await scene.open(bob.token);
    await using client = await scene.open(alice.token);
    await using device = await scene.open(alice.token);
    scene.api.faults.answer({ status }, { path: "/auth/profile", token: alice.token });
    scene.clock.advance(RECHECK_INTERVAL_MS);
    for (const each of [client, device]) expect(await each.closed).toEqual(CLOSED.tokenRefused);
    await scene.clock.waiting(1);
    await control.run(CHATS);
    expect(asked(scene, alice.token)).toEqual([2, 1]);
    await control.run(send(team, "on"));
  });

  type Fail = (faults: Faults, aim: TimedAim) => Undoable;
  const SILENCE = "nothing in time";
  const FAILURES: readonly (readonly [string, Fail])[] = [
    ["500", (faults, aim) => faults.answer({ status: 500 }, aim)],
    ["503", (faults, aim) => faults.unavailable(aim)],
    ["429", (faults, aim) => faults.rateLimited(30, aim)],
    ["a redirect", (faults, aim) => faults.redirect("http://127.0.0.1:1/", aim)],
    ["a page", (faults, aim) => faults.html(aim)],
    ["JSON of another shape", (faults, aim) => faults.wrongJson(aim)],
    ["half of an answer", (faults, aim) => faults.reset(aim)],
    ["nothing, but ends the connection", (faults, aim) => faults.down(aim)],
    [SILENCE, (faults, aim) => faults.hold(aim)],
  ];

  test.each(FAILURES)("%s, the session goes on, and ends when it is known to be refused", async (what, fail) => {
    // Within that time everything else that is asked here has to be answered.
    await using scene = await startScene(what === SILENCE ? { HTTP_API_TIMEOUT: "10000" } : {});
    await using client = await scene.open(alice.token);
    const received = client.start(messages());
    await client.run(CHATS);
    const failed = scene.line({ msg: "a session could not be checked" });
    const fault = fail(scene.api.faults, { path: "/auth/profile", token: alice.token });
    scene.clock.advanceToNext();
    await failed;
    fault.lift();
    await client.run(send(team, "on"));
    expect(await nextContent(received)).toBe("on");
    scene.api.data.revokeToken(alice.token);
    scene.clock.advance(RECHECK_INTERVAL_MS);
    expect(await client.closed).toEqual(CLOSED.tokenRefused);
  });
});

describe("where /chats alone answers", () => {
  test.each([
    ["500", { status: 500 }, "memberships could not be checked"],
    ["403", { status: 403 }, "memberships could not be checked"],
    ["JSON of another shape", { body: { unexpected: true } }, "memberships could not be checked"],
  ])("%s, everything stays as it was", async (_what, reply, msg) => {
    await using scene = await startScene();
    await using client = await scene.open(alice.token);
    const ofAll = client.start(messages());
    const ofTeam = client.start(messages(team));
    await client.run(CHATS);
    const failed = scene.line({ msg });
    using fault = scene.api.faults.answer(reply, { path: "/chats", token: alice.token });
    scene.clock.advanceToNext();
    await failed;
    fault.lift();
    await client.run(send(team, "on"));
    for (const results of [ofAll, ofTeam]) expect(await nextContent(results)).toBe("on");
  });

  test("401, that is asked about, and the session goes on where /auth/profile accepts the token", async () => {
    await using scene = await startScene();
    await using client = await scene.open(alice.token);
    const received = client.start(messages());
    await client.run(CHATS);
    scene.api.faults.answer({ status: 401 }, { path: "/chats", token: alice.token, times: 1 });
    scene.clock.advanceToNext();
    await scene.api.faults.requests.arrived(3, { path: "/auth/profile", token: alice.token });
    await client.run(send(team, "on"));
    expect(await nextContent(received)).toBe("on");
  });
});

describe("a membership that nobody told of is found out:", () => {
  test("who was added gets the chat's events on running subscriptions to all chats", async () => {
    await using scene = await startScene();
    await using client = await scene.open(carol.token);
    await using control = await scene.open(bob.token);
    const received = client.start(messages());
    const controlled = control.start(messages());
    await Promise.all([client, control].map((each) => each.run({ query: "{ me { id } }" })));
    await control.run(send(shop, "before"));
    scene.api.data.addMember(shop, carol.id);
    const before = asked(scene, carol.token)[1] ?? 0;
    using gate = scene.api.faults.hold({ path: "/chats", token: carol.token, when: "processed" });
    scene.clock.advance(RECHECK_INTERVAL_MS);
    await gate.arrived();
    gate.release();
    // Shares the answer that is on its way, or comes after it.
    await client.run(CHATS);
    expect(asked(scene, carol.token)[1]).toBeGreaterThan(before);
    await control.run(send(shop, "after"));
    expect(await nextContent(received)).toBe("after");
    for (const content of ["before", "after"]) expect(await nextContent(controlled)).toBe(content);
  });

  test("who was removed gets nothing more, on whichever device, and subscriptions to the chat end", async () => {
    await using scene = await startScene();
    const other = scene.issue(carol.id);
    await using client = await scene.open(carol.token);
    await using device = await scene.open(other);
    await using control = await scene.open(bob.token);
    const ofAll = [client, device].map((each) => each.start(messages()));
    const ofTeam = [client, device].map((each) => each.start(messages(team)));
    const controlled = control.start(messages());
    await Promise.all([client, device, control].map((each) => each.run({ query: "{ me { id } }" })));
    scene.api.data.removeMember(team, carol.id);
    // One of the two tokens finds it out; neither connection asks for anything.
    using _ = scene.api.faults.down({ path: "/chats", token: other });
    scene.clock.advance(RECHECK_INTERVAL_MS);
    for (const { ended } of ofTeam) {
      expect(await ended).toMatchObject([{ extensions: { code: "NOT_PARTICIPANT" } }]);
    }
    await control.run(send(team, "a secret"));
    const { id: chatId } = scene.api.data.createChat({ participants: [bob.id, carol.id] });
    await control.run(send(chatId, "barrier"));
    for (const results of ofAll) expect(await nextContent(results)).toBe("barrier");
    for (const content of ["a secret", "barrier"]) expect(await nextContent(controlled)).toBe(content);
  });
});

describe("after the last connection of a token has closed", () => {
  test("nothing is asked about it, and until then it is", async () => {
    await using scene = await startScene();
    await using control = await scene.open(bob.token);
    const token = scene.issue(alice.id, { exp: scene.clock.now() / 1000 + 86_400 });
    const clients = [await scene.open(token), await scene.open(token)];
    expect(scene.clock.dueTimes).toHaveLength(3);
    const [one, two] = clients;
    one?.socket.close();
    await one?.closed;
    scene.clock.advance(RECHECK_INTERVAL_MS);
    await scene.api.faults.requests.arrived(2, { path: "/chats", token });
    two?.socket.close();
    await scene.clock.waiting(1);
    const before = scene.api.faults.requests.count({ token });
    // Its expiry too would have come.
    scene.clock.advance(2 * 86_400_000);
    await expectAskedAgain(scene, bob.token);
    await control.run(CHATS);
    expect(scene.api.faults.requests.count({ token })).toBe(before);
  });

  test("what was being asked then is not followed by more", async () => {
    await using scene = await startScene();
    await using control = await scene.open(bob.token);
    await using client = await scene.open(alice.token);
    using gate = scene.api.faults.hold({ path: "/auth/profile", token: alice.token });
    scene.clock.advance(RECHECK_INTERVAL_MS);
    await gate.arrived();
    client.socket.close();
    await scene.clock.waiting(1);
    gate.release();
    await control.run(CHATS);
    scene.clock.advance(RECHECK_INTERVAL_MS);
    await expectAskedAgain(scene, bob.token);
    await control.run(CHATS);
    expect(asked(scene, alice.token)).toEqual([2, 1]);
  });

  test("a new one is watched again", async () => {
    await using scene = await startScene();
    const first = await scene.open(alice.token);
    first.socket.close();
    await scene.clock.waiting(0);
    await using again = await scene.open(alice.token);
    scene.api.data.revokeToken(alice.token);
    scene.clock.advance(RECHECK_INTERVAL_MS);
    expect(await again.closed).toEqual(CLOSED.tokenRefused);
  });
});
