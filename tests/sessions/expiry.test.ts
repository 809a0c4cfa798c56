/** A token that is a JWT says when its session ends; no other does. */
import { describe, expect, test } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { codesOf, openEventStream } from "../support/http.ts";
import { alice, bob, CHATS, jwt, messages, nextContent, openClient, send, startScene, team } from "./scene.ts";

test("a session ends in the second of its token's exp, and not before", async () => {
  await using scene = await startScene();
  const exp = Math.ceil(scene.clock.now() / 1000) + 10;
  await using client = await scene.open(scene.issue(alice.id, { exp }));
  await using control = await scene.open(bob.token);
  await using stream = await openEventStream(scene.url, messages(), scene.issue(alice.id, { exp }));
  const controlled = control.start(messages());
  const received = client.start(messages());
  await Promise.all([client, control].map((each) => each.run(CHATS)));
  scene.clock.advance(exp * 1000 - scene.clock.now() - 1);
  await client.run(send(team, "the last moment"));
  for (const results of [received, controlled]) expect(await nextContent(results)).toBe("the last moment");
  expect(await stream.next()).toMatchObject({ data: { messageAdded: { content: "the last moment" } } });
  scene.clock.advance(1);
  expect(await client.closed).toEqual({ code: 4403, reason: "Token expired" });
  // A stream of SSE has a place for the reason.
  const { errors } = await stream.next();
  expect(codesOf(errors)).toEqual(["UNAUTHENTICATED"]);
  expect(errors).toMatchObject([{ message: "The token has expired." }]);
  await stream.completed();
  await control.run(send(team, "on"));
  expect(await nextContent(controlled)).toBe("on");
});

test("connections of one token expire together, of another when that one does", async () => {
  await using scene = await startScene();
  const [soon, late] = [10, 20].map((seconds) => scene.issue(alice.id, { exp: scene.clock.now() / 1000 + seconds }));
  await using one = await scene.open(soon ?? "");
  await using two = await scene.open(soon ?? "");
  await using other = await scene.open(late ?? "");
  scene.clock.advance(10_000);
  for (const client of [one, two]) expect(await client.closed).toMatchObject({ code: 4403 });
  await other.run(CHATS);
  scene.clock.advance(10_000);
  expect(await other.closed).toMatchObject({ code: 4403 });
});

describe("nothing but the REST API ends the session of a token", () => {
  const NEVER: readonly (readonly [string, (nowMs: number) => string])[] = [
    ["whose exp is over, though the REST API accepts it", (now) => jwt({ exp: (now - 1000) / 1000 })],
    ["whose exp is just over", (now) => jwt({ exp: now / 1000 })],
    ["whose exp is before all time", () => jwt({ exp: -1e300 })],
    ["that says nothing", () => "opaque"],
    ["of three parts that are no JWT", () => "a.b.c"],
    ["of dots", () => "..."],
    ["that is a JWT without an exp", () => jwt({ sub: alice.id })],
    ["whose exp is a text", () => jwt({ exp: "1999999999" })],
    ["whose exp is null", () => jwt({ exp: null })],
    ["whose exp is a list", () => jwt({ exp: [1] })],
    ["whose exp is no finite number", () => `e30.${Buffer.from('{"exp":1e999}').toString("base64url")}.x`],
    ["whose claims are null", () => jwt(null)],
    ["whose claims are a number", () => jwt(5)],
    ["whose claims are not JSON", () => `e30.${Buffer.from("nonsense").toString("base64url")}.x`],
    ["whose claims are cut off", () => jwt({ exp: 1 }).slice(0, 45)],
  ];

  test.each(NEVER)("%s", async (_which, make) => {
    await using scene = await startScene();
    const token = make(scene.clock.now());
    scene.api.data.issueToken(alice.id, { token });
    await using client = await scene.open(token);
    // When it is asked about again, and nothing else.
    expect(scene.clock.dueTimes).toHaveLength(1);
    scene.clock.advance(25_000);
    await client.run(send(team, "still here"));
  });
});

test.each([
  ["in 25 days", Date.now() / 1000 + 25 * 86_400],
  ["in 100 years", Date.now() / 1000 + 100 * 365 * 86_400],
  ["after all time", 1e300],
])("a token that expires %s has not expired now", async (_when, exp) => {
  await using gateway = await startGateway();
  const token = gateway.api.data.issueToken(alice.id, { token: jwt({ exp }) });
  await using client = await openClient(gateway.wsUrl, token);
  // A timer that overflows is due at once.
  for (let count = 0; count < 5; count++) await client.run(CHATS);
  expect(client.socket.readyState).toBe(client.socket.OPEN);
});
