/** The demo data: three users, three chats and what they have written so far. The ids are the same in every development API. */
import { createHash } from "node:crypto";
import type { DemoUser } from "./data.ts";
import type { Store } from "./store.ts";

const alice: DemoUser = {
  id: "a11ce000-0000-4000-8000-000000000001",
  name: "Alice Adams",
  email: "alice.adams@example.com",
  token: "alice-token",
};
const bob: DemoUser = {
  id: "b0b00000-0000-4000-8000-000000000002",
  name: "Bob Brown",
  email: "bob.brown@example.com",
  token: "bob-token",
};
const carol: DemoUser = {
  id: "ca401000-0000-4000-8000-000000000003",
  name: "Carol Clark",
  email: "carol.clark@example.com",
  token: "carol-token",
};

/** Alice, Bob and Carol. */
export const DEMO_USERS = [alice, bob, carol] as const;

/** The ids of the demo chats. */
export const DEMO_CHATS = {
  /** Alice and Bob, with a title. */
  shop: "c4a70000-0000-4000-8000-000000000001",
  /** All three, with a title. */
  team: "c4a70000-0000-4000-8000-000000000002",
  /** Bob and Carol, without a title. */
  pair: "c4a70000-0000-4000-8000-000000000003",
} as const;

/** Who has written what, when, and who has read it since. */
type Line = readonly [sender: DemoUser, createdAt: string, content: string, readers: readonly DemoUser[]];

interface DemoChat {
  readonly id: string;
  readonly storeName?: string;
  readonly participants: readonly DemoUser[];
  readonly lines: readonly Line[];
}

const CHATS: readonly DemoChat[] = [
  {
    id: DEMO_CHATS.shop,
    storeName: "Corner Bookshop",
    participants: [alice, bob],
    lines: [
      [alice, "2026-01-30T09:02:11.000Z", "Good morning! Do you have the second edition of the tide tables?", [bob]],
      [bob, "2026-01-30T09:05:40.000Z", "Morning, Alice. One copy left, I have put it aside for you.", [alice]],
      [alice, "2026-01-30T09:06:02.000Z", "Wonderful. Until when can I pick it up?", [bob]],
      [bob, "2026-01-30T09:07:15.000Z", "We close at six today, at two on Saturday.", [alice]],
      [alice, "2026-01-30T09:07:50.000Z", "Saturday it is, then.", [bob]],
      [bob, "2026-01-31T09:30:00.000Z", "Your book is at the counter, under your name.", []],
      [bob, "2026-01-31T09:30:25.000Z", "And the atlas that you asked about in December is back in print.", []],
    ],
  },
  {
    id: DEMO_CHATS.team,
    storeName: "Harbour Fair",
    participants: [alice, bob, carol],
    lines: [
      [
        carol,
        "2026-01-28T16:20:00.000Z",
        "The harbour office says yes: we get the two tents by the pier.",
        [alice, bob],
      ],
      [alice, "2026-01-28T16:21:30.000Z", "Great news! I will do the posters this week.", [bob, carol]],
      [bob, "2026-01-28T16:40:12.000Z", "I can bring tables. How many do we need?", [alice, carol]],
      [carol, "2026-01-28T17:02:45.000Z", "Six, and twelve chairs.", [alice, bob]],
      [alice, "2026-01-31T08:15:00.000Z", "First draft of the poster is done, I will bring it on Monday.", [bob]],
      [bob, "2026-01-31T08:48:33.000Z", "Looking forward to it.", []],
    ],
  },
  {
    id: DEMO_CHATS.pair,
    participants: [bob, carol],
    lines: [
      [bob, "2026-01-29T12:00:00.000Z", "Lunch at the usual place?", [carol]],
      [carol, "2026-01-29T12:03:10.000Z", "Give me ten minutes.", [bob]],
      [carol, "2026-01-31T11:45:00.000Z", "Same again today?", []],
    ],
  },
];

/** How long after a message its readers have read it. */
const READING_MS = 20_000;

/** Fills an empty store with the demo data. */
export function seed(store: Store): void {
  store.atomically(() => {
    for (const user of DEMO_USERS) store.users.create(user);
    for (const chat of CHATS) seedChat(store, chat);
  });
}

function seedChat(store: Store, { id, storeName, participants, lines }: DemoChat): void {
  store.chats.create({
    id,
    participants: participants.map((user) => user.id),
    createdAt: "2026-01-28T16:00:00.000Z",
    ...(storeName === undefined ? {} : { storeName }),
  });
  for (const [index, [sender, createdAt, content, readers]] of lines.entries()) {
    const message = { id: stableId(`${id}/${index}`), chatId: id, senderId: sender.id, content, createdAt };
    store.messages.add(message);
    const readAt = new Date(Date.parse(createdAt) + READING_MS).toISOString();
    for (const reader of readers) store.messages.markRead(id, message.id, reader.id, readAt);
  }
}

/** A UUID that depends on `name` alone. As with random ones, their order says nothing about time. */
function stableId(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}
