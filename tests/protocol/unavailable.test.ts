/** 1013: the gateway cannot take somebody in now. Never 4500, on which stock clients give up. */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import type { TimedAim } from "../../src/dev/faults.ts";
import type { DevApi } from "../../src/dev/api.ts";
import { connect, PERSISTENT } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { eventually } from "../support/eventually.ts";
import { ChatsDocument, MeDocument } from "../support/generated/graphql.ts";

const ONCE = { HTTP_API_RETRIES: "1" };

type Fault = (faults: DevApi["faults"], aim: TimedAim) => Disposable;

describe.each(["/auth/profile", "/chats"])("a connection is closed with 1013 where at %s the REST API", (path) => {
  test.each<[what: string, fault: Fault, environment?: Readonly<Record<string, string>>]>([
    ["drops the connection", (faults, aim) => faults.down(aim)],
    ["answers 500", (faults, aim) => faults.answer({ status: 500, body: { error: "secret detail" } }, aim)],
    ["answers 503", (faults, aim) => faults.unavailable(aim)],
    ["answers 429", (faults, aim) => faults.rateLimited(60, aim)],
    ["answers HTML", (faults, aim) => faults.html(aim)],
    ["answers JSON of another shape", (faults, aim) => faults.wrongJson(aim)],
    ["answers null", (faults, aim) => faults.answer({ body: "null" }, aim)],
    ["answers nothing", (faults, aim) => faults.answer({}, aim)],
    ["redirects", (faults, aim) => faults.redirect("http://169.254.169.254/", aim)],
    ["answers over 5 MB", (faults, aim) => faults.oversized(5_000_001, aim)],
    ["breaks off in the middle of its answer", (faults, { path: at, token }) => faults.reset(aimed(at, token))],
    ["does not answer", (faults, aim) => faults.hold(aim), { HTTP_API_TIMEOUT: "200" }],
    [
      "stops in the middle of its answer",
      (faults, { path: at, token }) => faults.stall(aimed(at, token)),
      { HTTP_API_TIMEOUT: "200" },
    ],
  ])("%s", async (_what, fault, environment = {}) => {
    await using gateway = await startDiscreetGateway({ ...ONCE, ...environment });
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token, PERSISTENT);
    await control.run(MeDocument);
    using faults = new DisposableStack();
    faults.use(fault(gateway.api.faults, { path, token: bob?.token ?? "" }));
    await using client = connect(gateway.wsUrl, bob?.token);
    expect(await client.closed).toEqual({ code: 1013, reason: "Try again later" });
    // A busy machine may exceed a short HTTP_API_TIMEOUT, too.
    await eventually(async () => expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0));
  });
});

test("a list of chats that answers 404, as a wrong base address does, closes with 1013", async () => {
  await using gateway = await startDiscreetGateway(ONCE);
  gateway.api.faults.answer({ status: 404 }, { path: "/chats" });
  await using client = connect(gateway.wsUrl, gateway.api.users[0]?.token);
  expect((await client.closed).code).toBe(1013);
});

function aimed(path: TimedAim["path"], token: string | undefined): TimedAim {
  return { ...(path === undefined ? {} : { path }), ...(token === undefined ? {} : { token }) };
}

test("a connection is closed with 1013 where nothing listens at the REST API's address", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  await using gateway = await startDiscreetGateway({ ...ONCE, HTTP_API_URL: `http://127.0.0.1:${port}` });
  await using client = connect(gateway.wsUrl, gateway.api.users[0]?.token);
  expect(await client.closed).toMatchObject({ code: 1013 });
});

test("a stock client that was turned away comes in when the REST API is back, its operation with it", async () => {
  await using gateway = await startDiscreetGateway(ONCE);
  const [alice, bob] = gateway.api.users;
  const back = Promise.withResolvers<void>();
  await using control = connect(gateway.wsUrl, alice?.token);
  await control.acknowledged;
  using fault = gateway.api.faults.down({ token: bob?.token ?? "" });
  await using client = connect(gateway.wsUrl, bob?.token, { retryAttempts: 5, retryWait: () => back.promise });
  const asked = client.run(MeDocument);
  expect(await client.closed).toMatchObject({ code: 1013 });
  fault.lift();
  back.resolve();
  expect((await asked).me.id).toBe(bob?.id);
  expect((await control.run(MeDocument)).me.id).toBe(alice?.id);
});

test("over MAX_CONNECTIONS a connection is closed with 1013, and a stock client comes in when there is room", async () => {
  await using gateway = await startDiscreetGateway({ MAX_CONNECTIONS: "2" });
  const [alice, bob, carol] = gateway.api.users;
  await using control = connect(gateway.wsUrl, alice?.token);
  await using leaving = connect(gateway.wsUrl, bob?.token);
  await Promise.all([control.acknowledged, leaving.acknowledged]);
  const room = Promise.withResolvers<void>();
  await using client = connect(gateway.wsUrl, carol?.token, {
    retryAttempts: Infinity,
    // After that as often as it takes for the gateway to hear of the one that left.
    retryWait: async () => {
      await room.promise;
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
  const asked = client.run(MeDocument);
  expect(await client.closed).toEqual({ code: 1013, reason: "Too many connections" });
  expect(gateway.api.faults.requests.count({ token: carol?.token ?? "" })).toBe(0);
  expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  await leaving.client.dispose();
  room.resolve();
  expect((await asked).me.id).toBe(carol?.id);
  expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
});
