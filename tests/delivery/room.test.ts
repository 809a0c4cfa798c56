/** What a chat's listeners wait for while something is missing. */
import { expect, test } from "vitest";
import { idOf, type ChatEvent } from "../../src/chat/events.ts";
import { Room } from "../../src/fanout/room.ts";

test("of holes that open while one is being filled each is filled, in their order, before anything goes on", async () => {
  const room = new Room(
    "chat",
    async () => async () => undefined,
    () => undefined,
  );
  const filled: string[] = [];
  const first = Promise.withResolvers<void>();
  const fill = (name: string, until: Promise<void> = Promise.resolve()) =>
    room.hold(name, async () => {
      await until;
      filled.push(name);
    });
  const filling = fill("1", first.promise);
  await Promise.all([fill("2"), fill("3")]);
  const typing = { chatId: "chat", user: { id: "ann", name: "Ann" }, isTyping: true };
  room.pass({ type: "typing.changed", chatId: "chat", change: typing }, undefined, () => void filled.push("live"));
  expect([filled, room.behind]).toEqual([[], "1"]);
  first.resolve();
  await filling;
  expect([filled, room.behind]).toEqual([["1", "2", "3", "live"], undefined]);
});

test("what was inserted is no news when it is published after much else", () => {
  const room = new Room(
    "chat",
    async () => async () => undefined,
    () => undefined,
  );
  const message = (n: number): ChatEvent => ({
    type: "message.created",
    chatId: "chat",
    message: {
      id: String(n),
      chatId: "chat",
      sender: { id: "ann", name: "Ann" },
      content: String(n),
      createdAt: new Date(n).toISOString(),
      readAt: null,
      clientMessageId: null,
    },
  });
  const delivered: string[] = [];
  const deliver = (event: ChatEvent): void => void delivered.push(idOf(event));
  const all = Array.from({ length: 3000 }, (_, n) => message(n));
  for (const event of all) room.insert(event, undefined, deliver);
  for (const event of [...all, message(3000)]) room.pass(event, "somewhere", deliver);
  expect(delivered).toEqual([...all, message(3000)].map(idOf));
});
