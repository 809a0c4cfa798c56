/** What arrives while the gateway is busy, or all at once: it is handled in turns of the event loop that end, and nobody is too late. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { Turns } from "../../src/server/websocket/turns.ts";
import { createTestBus, withLog } from "../support/bus.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { HeldTimers } from "../support/held-timers.ts";
import { LoopTurns } from "../support/loop-turns.ts";
import { openAcknowledged, openRaw, type RawSocket } from "../support/raw-socket.ts";
import { rawConnection, rawUpgrade } from "../support/tcp.ts";

const [alice, bob] = DEMO_USERS;

const AT_ONCE = 200;
const MANY_CONNECTIONS = { MAX_CONNECTIONS_PER_USER: "1000" };

/** Nothing else waits for so long. */
const INIT_TIMEOUT_MS = 54_321;

/** Longer than a turn of the event loop may take. */
const LONG_MS = 60;

async function openMany(gateway: TestGateway, scope: AsyncDisposableStack): Promise<readonly RawSocket[]> {
  const opening = Array.from({ length: AT_ONCE }, () => openAcknowledged(gateway.wsUrl, alice.token));
  return (await Promise.all(opening)).map((socket) => scope.use(socket));
}

test("operations of many clients that arrive at once are handled in several turns, and all are answered", async () => {
  await using gateway = await startGateway(MANY_CONNECTIONS);
  await using scope = new AsyncDisposableStack();
  const clients = await openMany(gateway, scope);
  using turns = new LoopTurns();
  const answeredIn = new Set<number>();
  const answers = clients.map(async (client, index) => {
    // Each has a text of its own, which is read and validated.
    client.send({ id: "1", type: "subscribe", payload: { query: `query Q${index} { me { id name } }` } });
    const answer = await client.next();
    answeredIn.add(turns.count);
    return answer;
  });
  const me = { id: alice.id, name: alice.name };
  expect(await Promise.all(answers)).toEqual(clients.map(() => ({ id: "1", type: "next", payload: { data: { me } } })));
  expect(answeredIn.size).toBeGreaterThan(3);
});

test("many clients that come at once are let in in several turns", async () => {
  await using gateway = await startGateway();
  await using scope = new AsyncDisposableStack();
  const opening = Array.from({ length: 3 * AT_ONCE }, () => rawConnection(gateway.url));
  const clients = (await Promise.all(opening)).map((client) => scope.use(client));
  using turns = new LoopTurns();
  // One connection is accepted in a turn.
  await turns.passed(clients.length);
  const openedIn = new Set<number>();
  const opened = clients.map(async (client) => {
    client.send(rawUpgrade());
    const [head] = (await once(client.socket, "data")) as [string];
    openedIn.add(turns.count);
    return head.split("\r\n")[0];
  });
  expect(new Set(await Promise.all(opened))).toEqual(new Set(["HTTP/1.1 101 Switching Protocols"]));
  expect(openedIn.size).toBeGreaterThan(1);
});

/** A gateway that the next subscription of a client keeps busy for longer than a turn may take, and such a client. */
async function startOccupiable(scope: AsyncDisposableStack, env: Readonly<Record<string, string>> = {}) {
  const bus = createTestBus();
  let isOccupying = false;
  const occupied = withLog(bus, {
    position(topics) {
      const until = performance.now() + (isOccupying ? LONG_MS : 0);
      isOccupying = false;
      while (performance.now() < until);
      return bus.log.position(topics);
    },
  });
  const gateway = scope.use(await startGateway(env, { bus: occupied }));
  const occupier = scope.use(await openAcknowledged(gateway.wsUrl, bob.token));
  return {
    gateway,
    /** What is sent after it, and before anything is awaited, arrives in the turn that takes too long. */
    occupy: () => {
      isOccupying = true;
      occupier.send({ id: "1", type: "subscribe", payload: { query: "subscription { messageAdded { id } }" } });
    },
  };
}

test("a client whose connection_init has arrived in time, and waits for its turn, is not too late", async () => {
  using timers = new HeldTimers(INIT_TIMEOUT_MS);
  await using scope = new AsyncDisposableStack();
  const { gateway, occupy } = await startOccupiable(scope, { CONNECTION_INIT_TIMEOUT: String(INIT_TIMEOUT_MS) });
  const client = scope.use(await openRaw(gateway.wsUrl));
  await timers.waiting(1);
  const [sender, receiver] = await socketPair(scope);
  receiver.once("data", () => timers.runOut());
  occupy();
  client.send({ type: "connection_init", payload: { token: alice.token } });
  sender.write("the client has sent its message");
  expect((await client.next()).type).toBe("connection_ack");
});

test("a client that lets messages wait for their turn on purpose has to say who it is all the same", async () => {
  await using gateway = await startGateway({ CONNECTION_INIT_TIMEOUT: "300", RATE_LIMIT_OPERATIONS: "300/10s" });
  await using client = await openRaw(gateway.wsUrl);
  const pongs = Array.from({ length: 920 }, () => ({ type: "pong" }));
  client.send(...pongs);
  // More than it may: there is always one that waits.
  const sending = setInterval(() => client.send({ type: "pong" }), 5);
  const closed = await client.closed;
  clearInterval(sending);
  expect(closed.code).toBe(4408);
});

test("a message as long as one may be is no flood, though it waits for its turn", async () => {
  await using scope = new AsyncDisposableStack();
  const { gateway, occupy } = await startOccupiable(scope, { MAX_PAYLOAD_SIZE: "1048576" });
  const client = scope.use(await openAcknowledged(gateway.wsUrl, alice.token));
  const variables = { junk: "x".repeat(900_000) };
  occupy();
  client.send({ id: "1", type: "subscribe", payload: { query: "{ me { id } }", variables } });
  expect((await client.next()).payload).toEqual({ data: { me: { id: alice.id } } });
});

test("each of a hundred thousand that wait has its turn, newcomers first", async () => {
  const turns = new Turns();
  const served: number[] = [];
  const done = Promise.withResolvers<void>();
  for (let index = 0; index < 100_000; index++) {
    turns.add({
      goesOn: index % 2 === 0,
      takeTurn: () => served.push(index) < 0,
      leaveTurn: () => {
        if (served.length === 100_000) done.resolve();
      },
    });
  }
  await done.promise;
  const isOther = (index: number): boolean => index % 2 === 0;
  const inOrder = Array.from({ length: 50_000 }, (_, index) => 2 * index);
  expect(served.filter((index) => isOther(index))).toEqual(inOrder);
  expect(served.filter((index) => !isOther(index))).toEqual(inOrder.map((index) => index + 1));
  const lastNewcomer = served.indexOf(99_999);
  expect(served.slice(0, lastNewcomer).filter((index) => isOther(index)).length).toBeLessThan(10_000);
});

test("a client that has something to say does not wait for those that say a lot", async () => {
  await using gateway = await startGateway({ ...MANY_CONNECTIONS, RATE_LIMIT_OPERATIONS: "100000/1s" });
  await using scope = new AsyncDisposableStack();
  const talkers = (await openMany(gateway, scope)).slice(0, 30);
  const client = scope.use(await openAcknowledged(gateway.wsUrl, bob.token));
  const operations = Array.from({ length: 100 }, (_, index) => ({
    id: String(index),
    type: "subscribe",
    payload: { query: `query Q${index} { me { id name } }` },
  }));
  let answered = 0;
  for (const { socket } of talkers) socket.on("message", () => answered++);
  for (const talker of talkers) talker.send(...operations);
  await new Promise<void>((resolve) => talkers[0]?.socket.once("message", () => resolve()));
  client.send({ id: "1", type: "subscribe", payload: { query: "{ me { id } }" } });
  expect((await client.next()).payload).toEqual({ data: { me: { id: bob.id } } });
  expect(answered).toBeLessThan((talkers.length * operations.length) / 2);
});

/** Two ends of a connection that has nothing to do with the gateway. */
async function socketPair(scope: AsyncDisposableStack): Promise<readonly [Socket, Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  scope.defer(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect(port, "127.0.0.1");
  scope.defer(() => void client.destroy());
  await once(client, "connect");
  return [client, (await accepted)[0]];
}
