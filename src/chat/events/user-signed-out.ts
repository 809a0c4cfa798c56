import { z } from "zod";
import { defineEvent } from "./definition.ts";

/** The backend has ended every session of a user. */
export const userSignedOut = defineEvent({
  name: "user.signed_out",
  shape: { id: z.string(), userId: z.string() },
  kind: "durable",
  id: ({ id }) => id,
  topic: "users",
  recipients: "instances",
});
