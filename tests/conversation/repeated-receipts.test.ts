/** Marks through the gateway, and receipts that the backend tells of: which of them are the same. */
import { expect, test } from "vitest";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { byToken, chatRecord, startSmallApi } from "../support/small-api.ts";

const MEMBERS = { participants: ["ann", "ben"], participantNames: ["Ann", "Ben"] };

/** Ben reads the chat, and Ann receives what there is of that. */
async function openScene() {
  await using opening = new AsyncDisposableStack();
  const api = opening.use(await startSmallApi({ chats: [chatRecord("c1", MEMBERS)], answer: byToken }));
  const gateway = opening.use(await startGateway({ HTTP_API_URL: api.url, EVENTS_SECRET }));
  const ann = opening.use(await openGraphQLSocket(gateway.wsUrl, "ann"));
  const ben = opening.use(await openGraphQLSocket(gateway.wsUrl, "ben"));
  const receipts = ann.start({ query: "subscription { readReceipt { readAt messageId } }" });
  for (const socket of [ann, ben]) await socket.run({ query: "{ chats { id } }" });
  const opened = opening.move();
  return {
    /** When the next receipts say that he has read it. */
    receive: async (count: number) => {
      const instants: string[] = [];
      while (instants.length < count) {
        const { data } = JSON.parse(await receipts.next()) as { data: { readReceipt: { readAt: string } } };
        instants.push(data.readReceipt.readAt);
      }
      return instants;
    },
    mark: async () => {
      const { markChatRead } = await ben.run({ query: 'mutation { markChatRead(chatId: "c1") { readAt } }' });
      return (markChatRead as { readAt: string }).readAt;
    },
    tellOfRead: (readAt: string) =>
      tell(gateway, { type: "message.read", data: { chatId: "c1", userId: "ben", readAt } }),
    tellOfMessage: () => {
      const createdAt = new Date().toISOString();
      const sender = { senderId: "ann", senderName: "Ann" };
      const message = { id: `at ${createdAt}`, chatId: "c1", ...sender, content: "hello", createdAt };
      return tell(gateway, { type: "message.created", data: { message } });
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** An instant which is in no message that is on its way yet. */
const LATER = new Date(Date.now() + 600_000).toISOString();

test("a mark right after the backend has told of one, with a message between the two, is delivered", async () => {
  await using scene = await openScene();
  const first = new Date().toISOString();
  await scene.tellOfRead(first);
  await scene.tellOfMessage();
  const second = await scene.mark();
  expect(await scene.receive(2)).toEqual([first, second]);
});

test("of two receipts that the backend tells of right after a mark the first is the mark's own, and the second is delivered", async () => {
  await using scene = await openScene();
  const own = await scene.mark();
  const [echo, next] = [1, 2].map((ms) => new Date(Date.parse(own) + ms).toISOString());
  await scene.tellOfRead(echo ?? "");
  // A backend may repeat itself.
  await scene.tellOfRead(echo ?? "");
  await scene.tellOfMessage();
  await scene.tellOfRead(next ?? "");
  await scene.tellOfRead(LATER);
  expect(await scene.receive(3)).toEqual([own, next, LATER]);
});
