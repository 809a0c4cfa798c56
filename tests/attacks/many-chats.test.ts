/** What a user with very many chats can make the gateway do at once. */
import { expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { startBystanders } from "../support/bystanders.ts";
import { createTestBus, withLog } from "../support/bus.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";

const [alice] = DEMO_USERS;
const CHATS = 300;

/** A bus of one process, and how many logs were read in one turn of the event loop at most. */
function watchedBus() {
  const bus = createTestBus();
  const { log } = bus;
  let inTurn = 0;
  let most = 0;
  const read: typeof log.read = (...args) => {
    if (inTurn++ === 0) setImmediate(() => (inTurn = 0));
    most = Math.max(most, inTurn);
    return log.read(...args);
  };
  return { bus: withLog(bus, { read }), most: () => most };
}

test("replays of all of hundreds of chats read some at a time, and lack nothing", async () => {
  const { bus, most } = watchedBus();
  await using gateway = await startGateway({}, { bus });
  const { data } = gateway.api;
  const author = data.createUser({ name: "Author" });
  const chats = Array.from({ length: CHATS }, () => data.createChat({ participants: [alice.id, author.id] }).id);
  const [first = ""] = chats;
  data.addMessage({ chatId: first, senderId: author.id, content: "before" });
  await using attacker = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const { chat } = (await attacker.run({
    query: `{ chat(id: "${first}") { messages(last: 1) { nodes { cursor } } } }`,
  })) as { chat: { messages: { nodes: readonly { cursor: string }[] } } };
  for (const chatId of chats) data.addMessage({ chatId, senderId: author.id, content: chatId });
  await using control = await startBystanders(gateway.wsUrl);
  const query = "subscription ($after: String) { messageAdded(after: $after) { content } }";
  const variables = { after: chat.messages.nodes[0]?.cursor };
  const replays = Array.from({ length: 8 }, () => attacker.start({ query, variables }));
  expect(await control.talk(10)).toEqual(control.sent);
  for (const replay of replays) {
    const contents = new Set<string>();
    while (contents.size < CHATS) {
      const { data: result } = JSON.parse(await replay.next()) as { data: { messageAdded: { content: string } } };
      contents.add(result.messageAdded.content);
    }
    expect([...contents].toSorted()).toEqual(chats.toSorted());
  }
  // Four replays of a connection read at once, each 64 chats.
  expect(most()).toBeLessThan(CHATS);
});
