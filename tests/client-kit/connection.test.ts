/** What a kit client says of its connection, and how it comes back. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { describe, test } from "vitest";
import { GRACE_MS } from "../../client/src/times.ts";
import { MeDocument } from "../support/generated/graphql.ts";
import { startPonglessServer } from "../support/pongless-server.ts";
import { live, openKit, record, until } from "./kit.ts";
import { startWorld } from "./world.ts";

describe.concurrent("the connection of a kit client", () => {
  test("becomes live, and is back before anybody sees that it was lost", async ({ expect }) => {
    await using world = await startWorld();
    const client = world.open();
    expect(client.connection.get().status).toBe("connecting");
    await live(client);
    const { accepted } = world.relay;
    const cutAt = performance.now();
    /** How long after the cut the loss was shown. */
    const shownAfterMs: number[] = [];
    client.connection.subscribe(() => {
      if (client.connection.get().status === "reconnecting") shownAfterMs.push(performance.now() - cutAt);
    });
    world.relay.cut();
    await until(client.connection, ({ status }) => status === "live" && world.relay.accepted > accepted);
    await expect.poll(() => world.relay.connections).toBe(1);
    await live(client);
    // A machine that takes longer than the grace to connect again shows the loss, but only then.
    expect(shownAfterMs.filter((ms) => ms < GRACE_MS - 1)).toEqual([]);
    expect(client.connection.get().since).toBeLessThanOrEqual(Date.now());
  });

  test("is shown as lost after a while, with the time of the next attempt", async ({ expect }) => {
    await using world = await startWorld();
    const client = world.open();
    await live(client);
    await world.restart(async () => {
      const { retryAt = 0 } = await until(
        client.connection,
        (state) => state.status === "reconnecting" && state.retryAt !== undefined,
      );
      expect(retryAt).toBeGreaterThan(Date.now() - 60_000);
    });
    await live(client);
    expect(client.connection.get().retryAt).toBeUndefined();
  });

  test("is given up when the network swallows everything", async ({ expect }) => {
    await using world = await startWorld();
    const client = world.open();
    await live(client);
    world.relay.freeze();
    // Nothing says so but the silence: 7 s until a ping, 4 s for its pong.
    await until(client.connection, ({ status }) => status === "reconnecting");
    world.relay.thaw();
    await live(client);
    expect(world.relay.accepted).toBeGreaterThan(1);
  });

  test("is given up when it falls silent after something else has arrived, and before the pong", async ({ expect }) => {
    await using server = await startPonglessServer();
    await using client = openKit({ url: server.url, token: "alice-token" });
    await server.acknowledged.next();
    await until(client.connection, ({ status }) => status === "reconnecting");
    await expect(server.acknowledged.next()).resolves.toBe(true);
  });

  test("takes a fresh token at every connect, and renews the session before it expires", async ({ expect }) => {
    await using world = await startWorld();
    const [alice] = world.api.users;
    const given: string[] = [];
    const token = async (): Promise<string> => {
      const expiresAt = new Date(Date.now() + (given.length === 0 ? 16_000 : 600_000));
      given.push(world.api.data.issueToken(alice?.id ?? "", { expiresAt }));
      return given.at(-1) ?? "";
    };
    const client = world.open({ token });
    await live(client);
    const seen = record(client.connection, ({ status }) => status);
    await expect.poll(() => given.length).toBe(2);
    // The first one has expired when another that was issued with it has.
    const { closed } = world.connect(
      world.api.data.issueToken(alice?.id ?? "", { expiresAt: new Date(Date.now() + 17_000) }),
    );
    await expect(closed).resolves.toEqual({ code: 4403, reason: "Token expired" });
    expect([world.relay.accepted, seen]).toEqual([1, ["live"]]);
    world.relay.cut();
    await expect.poll(() => given.length).toBe(3);
    await live(client);
  });

  test("goes on with a fresh token that could not be passed on while the session lasted", async ({ expect }) => {
    await using world = await startWorld({ HTTP_API_RETRIES: "1" });
    const [alice] = world.api.users;
    const fresh = world.api.data.issueToken(alice?.id ?? "");
    const first = world.api.data.issueToken(alice?.id ?? "", { expiresAt: new Date(Date.now() + 6000) });
    world.api.faults.unavailable({ token: fresh, times: 1 });
    let signedOut = 0;
    let asked = 0;
    const client = world.open({ token: () => (asked++ === 0 ? first : fresh), onSignedOut: () => signedOut++ });
    await live(client);
    // A loss is shown after a while only: until then the client looks live.
    const profiles = { token: fresh, path: "/auth/profile" };
    await expect.poll(() => world.api.faults.requests.count(profiles)).toBeGreaterThan(1);
    await live(client);
    expect(world.relay.accepted).toBeGreaterThan(1);
    expect(signedOut).toBe(0);
  });

  test("ends when the token is refused and there is no other", async ({ expect }) => {
    await using world = await startWorld();
    let signedOut = 0;
    const client = world.open({ token: () => "nobody's", onSignedOut: () => signedOut++ });
    await until(client.connection, ({ status }) => status === "signed-out");
    expect(signedOut).toBe(1);
    expect(world.relay.accepted).toBe(1);
  });

  test("asks for a login when the session is revoked, once", async ({ expect }) => {
    await using world = await startWorld();
    const [alice] = world.api.users;
    const token = world.api.data.issueToken(alice?.id ?? "");
    let signedOut = 0;
    const client = world.open({ token: () => token, onSignedOut: () => signedOut++ });
    const room = client.room(world.chatId);
    await live(client);
    await until(room.messages, ({ items }) => items.length > 0);
    const seen = record(client.connection, ({ status }) => status);
    world.api.data.revokeToken(token);
    room.markRead();
    await until(client.connection, ({ status }) => status === "signed-out");
    expect(seen.at(-1)).toBe("signed-out");
    expect(signedOut).toBe(1);
    // What was shown stays, and what is written waits.
    expect(room.send("later")).toMatchObject({ state: "queued" });
    expect(room.messages.get().items.length).toBeGreaterThan(1);
    // A client with another token goes on.
    await live(world.open({ token: world.api.data.issueToken(alice?.id ?? "") }));
    expect([client.connection.get().status, signedOut]).toEqual(["signed-out", 1]);
  });

  test("survives an application that cannot give a token right now", async ({ expect }) => {
    await using world = await startWorld();
    let asked = 0;
    const token = async (): Promise<string> => {
      if (++asked < 3) throw new Error("the identity provider is down");
      return "alice-token";
    };
    await live(world.open({ token }));
    expect(asked).toBe(3);
  });

  test("waits for a server that is not there yet", async ({ expect }) => {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await using client = openKit({ url: `http://127.0.0.1:${port}/graphql`, token: "alice-token" });
    await until(client.connection, ({ retryAt }) => retryAt !== undefined);
    expect(client.connection.get().status).toBe("connecting");
  });

  test("carries operations of one's own, across a cut", async ({ expect }) => {
    await using world = await startWorld();
    const client = world.open();
    await live(client);
    world.relay.cut();
    const results = [];
    for await (const result of client.graphql.iterate({ query: "{ me { name } }" })) results.push(result);
    expect(results).toEqual([{ data: { me: { name: "Alice Adams" } } }]);
    await expect(world.connect("bob-token").run(MeDocument)).resolves.toBeDefined();
  });
});
