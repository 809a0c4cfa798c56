/** Many lists of one user's thousands of chats at once: live ones, and queries. */
import { expect, test } from "vitest";
import { createTestBus } from "../support/bus.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket, type GraphQLSocket } from "../support/graphql-socket.ts";
import { chatRecord, startSmallApi } from "../support/small-api.ts";

const CHATS = 4000;
const CONNECTIONS = 3;
const LISTS = 4;

/** More chats than a fast machine executes in its part of a turn: those of all lists would be three times as many. */
const AT_ONCE = CHATS * LISTS;

/** A bus of one process, and of how many users the presence was read in one turn of the event loop at most. */
function watchedBus() {
  const bus = createTestBus();
  const read = bus.presence.read.bind(bus.presence);
  let inTurn = 0;
  let most = 0;
  bus.presence.read = (userIds) => {
    if (inTurn === 0) setImmediate(() => (inTurn = 0));
    inTurn += userIds.length;
    most = Math.max(most, inTurn);
    return read(userIds);
  };
  return { bus, most: () => most };
}

/** A user with so many chats, on so many connections. */
async function createScene() {
  await using starting = new AsyncDisposableStack();
  const chats = Array.from({ length: CHATS }, (_, n) =>
    chatRecord(`chat ${n}`, { participants: ["u1", `other ${n}`], participantNames: ["Ann", `Other ${n}`] }),
  );
  const api = starting.use(await startSmallApi({ chats }));
  const { bus, most } = watchedBus();
  const environment = { HTTP_API_URL: api.url, HTTP_API_TIMEOUT: "600000", MAX_SEND_BUFFER: "100000000" };
  const gateway = starting.use(await startGateway(environment, { bus }));
  const connections: GraphQLSocket[] = [];
  while (connections.length < CONNECTIONS) connections.push(starting.use(await openGraphQLSocket(gateway.wsUrl, "t")));
  const running = starting.move();
  return { api, connections, most, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

const FIELDS = "id presence { online }";

test("lists of thousands of chats that begin together are read together, and executed in pieces", async () => {
  await using scene = await createScene();
  const { api, connections, most } = scene;
  const before = api.count("/chats");
  const query = `subscription { chatsChanged { isSnapshot changed { ${FIELDS} } } }`;
  const lists = connections.flatMap((connection) => Array.from({ length: LISTS }, () => connection.start({ query })));
  for (const list of lists) {
    const { data } = JSON.parse(await list.next()) as { data: { chatsChanged: { changed: { id: string }[] } } };
    expect(new Set(data.chatsChanged.changed.map(({ id }) => id)).size).toBe(CHATS);
  }
  // The first one, and those that came while it was read: on a busy machine not all of these come at once.
  expect(api.count("/chats") - before).toBeLessThan((CONNECTIONS * LISTS) / 2);
  expect(most()).toBeLessThan(AT_ONCE);
});

test("queries for thousands of chats are executed in pieces", async () => {
  await using scene = await createScene();
  const { connections, most } = scene;
  const query = `{ chats { ${FIELDS} } }`;
  const results = connections.flatMap((connection) => Array.from({ length: LISTS }, () => connection.run({ query })));
  for (const result of await Promise.all(results)) expect(result["chats"]).toHaveLength(CHATS);
  expect(most()).toBeLessThan(AT_ONCE);
});
