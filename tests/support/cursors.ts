/** Cursors of messages that nobody has sent. */
import { Cursors, type CursorPosition } from "../../src/chat/cursor.ts";
import type { Message } from "../../src/chat/model.ts";

const KEY = Buffer.alloc(32, "key");

/** What a cursor holds when it comes back. */
export function positionOfCursor(
  message: Pick<Message, "id" | "chatId" | "createdAt" | "position" | "seen">,
): CursorPosition {
  const cursors = new Cursors(KEY);
  const sender = { id: "u1", name: "Anna" };
  return cursors.parse(
    cursors.of({ sender, content: "hello", readAt: null, clientMessageId: null, ...message }),
    "after",
  );
}
