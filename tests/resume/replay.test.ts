/** What is put together from the log and the history: in one order, each once. */
import { expect, test } from "vitest";
import { positionAt } from "../../src/bus/position.ts";
import type { Message } from "../../src/chat/model.ts";
import { withLog } from "../../src/recovery/history-and-log.ts";
import { Replay } from "../../src/recovery/replay.ts";

/** "Ann 3": created three seconds after the beginning. */
function message(content: string): Message {
  const [name = "", second = ""] = content.split(" ");
  return {
    id: content,
    chatId: "chat",
    sender: { id: name, name },
    content,
    createdAt: new Date(Number(second) * 1000).toISOString(),
    readAt: null,
    clientMessageId: null,
  };
}

function created(content: string): {
  readonly type: "message.created";
  readonly chatId: string;
  readonly message: Message;
} {
  return { type: "message.created", chatId: "chat", message: message(content) };
}

function merged(history: string, log: string): string {
  const entries = log.split(", ").map((content, at) => ({ event: created(content), position: positionAt(at, 0) }));
  return withLog(history.split(", ").map(message), entries, () => true)
    .map(({ content }) => content)
    .join(", ");
}

test("what the log has is in the log's order, and what it has not got in that of creation", () => {
  expect(merged("Ann 1, Ben 2, Ann 3, Ben 4, Cleo 5", "Ben 2, Ann 1, Ben 4")).toBe(
    "Ben 2, Ann 1, Ann 3, Ben 4, Cleo 5",
  );
});

test("what the log has and the history's pages had not is in it", () => {
  expect(merged("Ann 1, Ann 3", "Ann 1, Ben 2, Ann 3")).toBe("Ann 1, Ben 2, Ann 3");
});

test("what the log has not got yet comes after what its sender said before, wherever the log has that", () => {
  // A log that was begun anew: Ann's instance has told it everything again already, and Ben's not all.
  expect(merged("Ann 1, Ben 2, Ann 3, Ben 4, Ann 5, Ben 6, Cleo 7", "Ann 1, Ann 3, Ann 5, Ben 2")).toBe(
    "Ann 1, Ann 3, Ann 5, Ben 2, Ben 4, Ben 6, Cleo 7",
  );
});

test("an event that was read from the log is no news when it is given without Redis", () => {
  const replayed = { event: created("Ann 1"), position: positionAt(1, 0) };
  const replay = new Replay([{ topic: "chat:chat", events: [replayed], readTo: positionAt(1, 0) }], undefined);
  expect(replay.has(created("Ann 1"), undefined)).toBe(true);
  expect(replay.has(created("Ann 2"), undefined)).toBe(false);
});
