/** `refreshToken`: a running session goes on with another token of the same user. */
import { describe, expect, test } from "vitest";
import { codesOf, openEventStream, postOperation } from "../support/http.ts";
import {
  CLOSED,
  alice,
  bob,
  CHATS,
  messages,
  nextContent,
  RECHECK_INTERVAL_MS,
  send,
  startScene,
  team,
  type Scene,
  type SessionClient,
} from "./scene.ts";

function refresh(token: string) {
  return { query: "mutation ($token: String!) { refreshToken(token: $token) { id } }", variables: { token } };
}

/** The errors with which a refresh is answered. */
async function refused(client: SessionClient, token: string): Promise<readonly Record<string, unknown>[]> {
  const result = client.start(refresh(token));
  return (JSON.parse(await result.next()) as { errors: readonly Record<string, unknown>[] }).errors;
}

/** A token that expires after so many seconds. */
function expiring(scene: Scene, seconds: number, userId: string = alice.id): string {
  return scene.issue(userId, { exp: scene.clock.now() / 1000 + seconds });
}

describe("a session that is renewed", () => {
  test("goes on with its subscriptions, and asks the REST API with the new token", async () => {
    await using scene = await startScene();
    const { requests } = scene.api.faults;
    const [old, fresh] = [scene.issue(alice.id), scene.issue(alice.id)];
    await using client = await scene.open(old);
    await using control = await scene.open(bob.token);
    const received = [client.start(messages()), client.start(messages(team)), control.start(messages())];
    await Promise.all([client, control].map((each) => each.run(CHATS)));
    expect(await client.run(refresh(fresh))).toEqual({ refreshToken: { id: alice.id } });
    const before = requests.count({ token: old });
    await client.run(CHATS);
    await client.run(send(team, "with the new one"));
    await client.run({ query: `mutation { markChatRead(chatId: "${team}") { readAt } }` });
    expect(scene.writes(fresh)).toBe(2);
    expect(requests.count({ token: fresh, path: "/chats" })).toBe(1);
    expect(requests.count({ token: old })).toBe(before);
    for (const results of received) expect(await nextContent(results)).toBe("with the new one");
  });

  test("does not end when the old token expires, but when the new one does", async () => {
    await using scene = await startScene();
    await using client = await scene.open(expiring(scene, 10));
    const received = client.start(messages());
    await client.run(CHATS);
    await client.run(refresh(expiring(scene, 20)));
    scene.clock.advance(19_999);
    await client.run(send(team, "on"));
    expect(await nextContent(received)).toBe("on");
    scene.clock.advance(1);
    expect(await client.closed).toEqual(CLOSED.tokenExpired);
  });

  test("has no end of its own any more where the new token says none", async () => {
    await using scene = await startScene();
    await using client = await scene.open(expiring(scene, 10));
    await client.run(refresh(scene.issue(alice.id)));
    expect(scene.clock.dueTimes).toHaveLength(1);
    scene.clock.advance(20_000);
    await client.run(CHATS);
  });

  test("is asked about with the new token, whose refusal ends it and the old one's does not", async () => {
    await using scene = await startScene();
    const { data, faults } = scene.api;
    const [old, fresh] = [scene.issue(alice.id), scene.issue(alice.id)];
    await using client = await scene.open(old);
    await client.run(refresh(fresh));
    data.revokeToken(old);
    const { errors } = await postOperation(scene.url, CHATS, old);
    expect(codesOf(errors)).toEqual(["UNAUTHENTICATED"]);
    const before = faults.requests.count({ token: old });
    scene.clock.advanceToNext();
    await faults.requests.arrived(1, { path: "/chats", token: fresh });
    expect(faults.requests.count({ token: old })).toBe(before);
    await client.run(CHATS);
    data.revokeToken(fresh);
    scene.clock.advance(RECHECK_INTERVAL_MS);
    expect(await client.closed).toEqual(CLOSED.tokenRefused);
  });

  test("leaves another connection of the old token to its own end, and its user to be signed out", async () => {
    await using scene = await startScene();
    const old = expiring(scene, 10);
    await using client = await scene.open(old);
    await using device = await scene.open(old);
    await client.run(refresh(scene.issue(alice.id)));
    scene.clock.advance(10_000);
    expect(await device.closed).toEqual(CLOSED.tokenExpired);
    await client.run(CHATS);
    await scene.tell({ type: "user.signed_out", data: { userId: alice.id } });
    expect(await client.closed).toEqual(CLOSED.signedOut);
  });

  test("may be renewed with the token that it has, and again", async () => {
    await using scene = await startScene();
    const token = expiring(scene, 10);
    await using client = await scene.open(token);
    for (let times = 0; times < 3; times++) await client.run(refresh(token));
    expect(scene.clock.dueTimes).toHaveLength(2);
    scene.clock.advance(9999);
    await client.run(CHATS);
    scene.clock.advance(1);
    expect(await client.closed).toEqual(CLOSED.tokenExpired);
  });

  test("is watched no more when it has closed", async () => {
    await using scene = await startScene();
    await using client = await scene.open(expiring(scene, 10));
    await client.run(refresh(expiring(scene, 20)));
    expect(scene.clock.dueTimes).toHaveLength(2);
    client.socket.close();
    await scene.clock.waiting(0);
  });
});

describe("a session goes on as it was where it is given", () => {
  /** What a session with a token that expires in 10 s has to show for it. */
  async function expectUnchanged(scene: Scene, client: SessionClient, token: string): Promise<void> {
    const received = client.start(messages());
    await client.run(CHATS);
    await client.run(send(team, "on"));
    expect(await nextContent(received)).toBe("on");
    expect(scene.writes(token)).toBe(1);
    scene.clock.advance(10_000);
    expect(await client.closed).toEqual(CLOSED.tokenExpired);
  }

  test("somebody else's token", async () => {
    await using scene = await startScene();
    const token = expiring(scene, 10);
    await using client = await scene.open(token);
    await using control = await scene.open(bob.token);
    expect(await refused(client, bob.token)).toMatchObject([
      { extensions: { code: "BAD_USER_INPUT", argument: "token" } },
    ]);
    await expectUnchanged(scene, client, token);
    await control.run(send(team, "on"));
  });

  test.each([
    ["that is refused", "refused-token"],
    ["that is empty", ""],
    ["that no header can carry", "a\r\nb: c"],
    ["longer than any header", "x".repeat(8001)],
  ])("a token %s", async (_which, bad) => {
    await using scene = await startScene();
    const token = expiring(scene, 10);
    await using client = await scene.open(token);
    expect(await refused(client, bad)).toMatchObject([{ extensions: { code: "UNAUTHENTICATED" } }]);
    await expectUnchanged(scene, client, token);
  });

  test("a token that the REST API cannot be asked about", async () => {
    await using scene = await startScene();
    const [token, fresh] = [expiring(scene, 10), scene.issue(alice.id)];
    await using client = await scene.open(token);
    scene.api.faults.unavailable({ path: "/auth/profile", token: fresh });
    expect(await refused(client, fresh)).toMatchObject([{ extensions: { code: "UPSTREAM_UNAVAILABLE" } }]);
    await expectUnchanged(scene, client, token);
  });
});

describe("a session that ends while its new token is asked about stays ended, where", () => {
  const ENDS: readonly (readonly [
    how: string,
    closed: keyof typeof CLOSED,
    end: (scene: Scene, old: string, fresh: string) => Promise<unknown> | void,
  ])[] = [
    ["the old token expires", "tokenExpired", ({ clock }) => clock.advance(10_000)],
    ["the user signs out", "signedOut", (scene) => scene.tell({ type: "user.signed_out", data: { userId: alice.id } })],
    [
      "the old token is refused",
      "tokenRefused",
      (scene, old) => {
        scene.api.data.revokeToken(old);
        return postOperation(scene.url, CHATS, old);
      },
    ],
  ];

  test.each(ENDS)("%s", async (_how, closed, end) => {
    await using scene = await startScene();
    const [old, fresh] = [expiring(scene, 10), scene.issue(alice.id)];
    await using client = await scene.open(old);
    await using control = await scene.open(bob.token);
    using gate = scene.api.faults.hold({ path: "/auth/profile", token: fresh, when: "processed" });
    client.start(refresh(fresh));
    await gate.arrived();
    await end(scene, old, fresh);
    expect(await client.closed).toEqual(CLOSED[closed]);
    gate.release();
    await control.run(CHATS);
    // Bob's alone: nothing watches for a session that is over.
    await scene.clock.waiting(1);
    await using again = await scene.open(fresh);
    await again.run(send(team, "back"));
  });

  test("the client closes it", async () => {
    await using scene = await startScene();
    const fresh = scene.issue(alice.id);
    await using client = await scene.open(scene.issue(alice.id));
    await using control = await scene.open(bob.token);
    using gate = scene.api.faults.hold({ path: "/auth/profile", token: fresh });
    client.start(refresh(fresh));
    await gate.arrived();
    client.socket.close();
    await scene.clock.waiting(1);
    gate.release();
    await control.run(CHATS);
    // Bob's alone: nothing watches for a session that is gone.
    expect(scene.clock.dueTimes).toHaveLength(1);
    expect(scene.api.faults.requests.count({ token: fresh })).toBe(1);
  });

  test("the new token is refused by then", async () => {
    await using scene = await startScene();
    const fresh = scene.issue(alice.id);
    await using client = await scene.open(scene.issue(alice.id));
    using gate = scene.api.faults.hold({ path: "/auth/profile", token: fresh, when: "processed", times: 1 });
    const result = client.start(refresh(fresh));
    await gate.arrived();
    scene.api.data.revokeToken(fresh);
    await client.run(CHATS);
    gate.release();
    await result.next();
    scene.clock.advance(RECHECK_INTERVAL_MS);
    expect(await client.closed).toEqual(CLOSED.tokenRefused);
  });
});

test("there is nothing to renew over HTTP, nor over SSE beside: BAD_USER_INPUT", async () => {
  await using scene = await startScene();
  const token = scene.issue(alice.id);
  await using stream = await openEventStream(scene.url, messages(), token);
  const fresh = scene.issue(alice.id);
  const { errors, data } = await postOperation(scene.url, refresh(fresh), token);
  expect(errors).toMatchObject([{ extensions: { code: "BAD_USER_INPUT", argument: "token" } }]);
  expect(data).toBeNull();
  expect(scene.api.faults.requests.count({ token: fresh })).toBe(0);
  await postOperation(scene.url, send(team, "on"), token);
  expect(await stream.next()).toMatchObject({ data: { messageAdded: { content: "on" } } });
});
