import { z } from "zod";
import { defineEvent } from "./definition.ts";

/** An instance stops. The others remember the positions of its clients, should Redis lose them before the clients are back. */
export const positionsHandedOver = defineEvent({
  name: "positions.handed_over",
  shape: {
    positions: z
      .array(
        z.object({
          key: z.string(),
          owner: z.string(),
          takenAt: z.string(),
          position: z.object({ base: z.string(), topics: z.record(z.string(), z.string()) }),
          ttlMs: z.number(),
        }),
      )
      .readonly(),
  },
  kind: "transient",
  topic: "users",
  recipients: "instances",
});
