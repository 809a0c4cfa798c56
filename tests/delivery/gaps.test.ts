/** What the history fills a hole with, where the log has lost it. */
import { expect, test } from "vitest";
import { positionAt } from "../../src/bus/position.ts";
import { Directory } from "../../src/chat/directory.ts";
import type { Message } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import { Gaps } from "../../src/fanout/gaps.ts";
import { Room } from "../../src/fanout/room.ts";
import { createTestBus } from "../support/bus.ts";

const ann = { id: "ann", name: "Ann", email: "ann@example.com", role: null };

/** "3": created three seconds after `sinceMs`. */
function message(second: number, sinceMs: number): Message {
  return {
    id: String(second),
    chatId: "chat",
    sender: { id: "ben", name: "Ben" },
    content: String(second),
    createdAt: new Date(sinceMs + second * 1000).toISOString(),
    readAt: null,
    clientMessageId: null,
  };
}

test("what waits on an instance that was cut off for long has its place before what its sender said since", async () => {
  const room = new Room(
    "chat",
    async () => async () => undefined,
    () => undefined,
  );
  room.audience.set(new Session({ token: "t", tokenHash: "h", user: ann }, new Directory()), new Map());
  const since = room.beganAtMs;
  const all = [1, 20, 30, 69, 70].map((second) => message(second, since));
  const given: string[] = [];
  const gaps = new Gaps(
    {
      bus: createTestBus(),
      history: { select: async (_identity, _chatId, isWanted) => all.filter(isWanted) },
      replayLimit: 100,
    },
    (_room, event) => void given.push(event.type === "message.created" ? event.message.id : event.type),
  );
  // Heard up to 70 s after the beginning, when what was created long before had only begun to be published.
  // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- no array
  await gaps.fill(room, positionAt(since + 70_000, 0), (id) => id.endsWith("30"));
  expect(given, "1 may be from before the room was, and 30 has been given").toEqual(["20", "69", "70"]);
});
