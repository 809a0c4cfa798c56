import { z } from "zod";
import type { TypingChange } from "../model.ts";
import { defineEvent, type EventFrom } from "./definition.ts";
import { user } from "./user.ts";

const change: z.ZodType<TypingChange> = z.object({ chatId: z.string(), user, isTyping: z.boolean() });

/** Somebody has started, goes on, or has stopped typing. */
export const typingChanged = defineEvent({
  name: "typing.changed",
  shape: {
    chatId: z.string(),
    /** Milliseconds after which it ends unless it is repeated: the typist's instance may die. Undefined of a stop. */
    expiresInMs: z.number().optional(),
    change,
  },
  kind: "transient",
  topic: "chat",
  recipients: "subscribers",
});

export type TypingChanged = EventFrom<typeof typingChanged>;
