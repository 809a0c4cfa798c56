import { z } from "zod";
import type { Presence } from "../model.ts";
import { defineEvent, type EventFrom } from "./definition.ts";
import { user } from "./user.ts";

const presence: z.ZodType<Presence> = z.object({ user, online: z.boolean(), lastSeenAt: z.string().nullable() });

/** Somebody has gone online or offline. */
export const presenceChanged = defineEvent({
  name: "presence.changed",
  shape: { presence },
  kind: "transient",
  topic: "users",
  recipients: "subscribers",
});

export type PresenceChanged = EventFrom<typeof presenceChanged>;
