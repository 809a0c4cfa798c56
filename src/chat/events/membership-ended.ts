import { z } from "zod";
import { defineEvent } from "./definition.ts";

/** The REST API has refused a user a chat: the user is not a member any more. */
export const membershipEnded = defineEvent({
  name: "membership.ended",
  shape: { id: z.string(), chatId: z.string(), userId: z.string() },
  kind: "durable",
  id: ({ id }) => id,
  topic: "users",
  recipients: "instances",
});
