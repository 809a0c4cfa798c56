import { z } from "zod";
import { defineEvent } from "./definition.ts";

/** An operator asks every instance for the connections of a user. Each answers under the id of the request. */
export const userLookup = defineEvent({
  name: "user.lookup",
  shape: { requestId: z.string(), userId: z.string() },
  kind: "transient",
  topic: "users",
  recipients: "instances",
});
