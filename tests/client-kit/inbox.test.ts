/** What a kit client shows of the list of chats, as it changes and after a gateway that is gone. */
import type { Inbox } from "graphql-chat-client";
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { send } from "../support/chatting.ts";
import { EVENTS_SECRET } from "../support/events.ts";
import { live, until } from "./kit.ts";
import { startWorld, type World } from "./world.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

/** The backend tells the gateway that runs now. */
function tellGateway({ api, gateway }: World): void {
  api.sendEventsTo({ url: new URL("/events", gateway.url).href, secret: EVENTS_SECRET });
}

function inShort({ chats, unreadTotal }: Inbox): unknown[] {
  return [
    ...chats.map(({ title, unreadCount, lastMessage }) => [title, unreadCount, lastMessage?.text]),
    ["total", unreadTotal],
  ];
}

test("an inbox follows creation, renaming, leaving and unread counts, over a gateway's restart too", async () => {
  await using world = await startWorld({ EVENTS_SECRET });
  const { data } = world.api;
  tellGateway(world);
  const client = world.open();
  const shows = (...expected: unknown[]) =>
    until(client.inbox, (inbox) => JSON.stringify(inShort(inbox)) === JSON.stringify(expected));
  expect(client.inbox.get()).toEqual({ chats: [], unreadTotal: 0, loaded: false });
  await live(client);
  expect(new Set(client.inbox.get().chats.map(({ id }) => id))).toEqual(new Set([shop, team]));
  data.removeMember(team, alice.id);
  const atlas = "And the atlas that you asked about in December is back in print.";
  await shows(["Corner Bookshop", 2, atlas], ["total", 2]);

  // A chat without a title has the names of the others.
  const { id } = data.createChat({ participants: [alice.id, bob.id, carol.id] });
  await shows(["Bob Brown, Carol Clark", 0, undefined], ["Corner Bookshop", 2, atlas], ["total", 2]);
  const friend = world.connect("bob-token");
  await send(friend, id, "one");
  await send(friend, id, "two");
  await shows(["Bob Brown, Carol Clark", 2, "two"], ["Corner Bookshop", 2, atlas], ["total", 4]);
  data.renameChat(id, "");
  await send(friend, id, "two and a half");
  await shows(["Bob Brown, Carol Clark", 3, "two and a half"], ["Corner Bookshop", 2, atlas], ["total", 5]);
  data.renameChat(id, "Plans");
  await shows(["Plans", 3, "two and a half"], ["Corner Bookshop", 2, atlas], ["total", 5]);
  const room = client.room(id);
  await until(room.messages, ({ items }) => items.length === 3);
  room.markRead();
  await shows(["Plans", 0, "two and a half"], ["Corner Bookshop", 2, atlas], ["total", 2]);

  // Nobody tells of what happens while there is no gateway.
  await world.restart(() => {
    data.renameChat(id, "Old plans");
    data.addMessage({ chatId: id, senderId: bob.id, content: "three" });
    data.createChat({ participants: [alice.id, carol.id], storeName: "New" });
    data.deleteChat(shop);
  });
  await until(client.inbox, ({ chats }) => chats.length === 2 && chats.every(({ id: one }) => one !== shop));
  expect(new Set(inShort(client.inbox.get()))).toEqual(
    new Set([
      ["New", 0, undefined],
      ["Old plans", 1, "three"],
      ["total", 1],
    ]),
  );
  tellGateway(world);
  await live(client);
  data.removeMember(id, alice.id);
  await shows(["New", 0, undefined], ["total", 0]);
});
