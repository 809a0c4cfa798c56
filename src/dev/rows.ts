/** What comes out of the database, checked. */
import { z } from "zod";
import { wireMessage } from "../upstream/wire.ts";

export const profileRow = z.object({ userId: z.string(), email: z.string(), name: z.string(), role: z.string() });

/** As the API shows it: with microseconds where there are any. */
const storedInstant = z.string().transform((stored) => stored.replace(/0{1,3}Z$/, "Z"));

export const chatRow = z.object({
  id: z.string(),
  storeId: z.string().nullable(),
  storeName: z.string().nullable(),
  createdAt: storedInstant,
  updatedAt: storedInstant,
});

export const memberRow = z.object({ id: z.string(), name: z.string() });
export const tokenRow = z.object({ userId: z.string(), expiresAt: z.number().nullable() });
export const readRow = z.object({ readAt: z.string() });
export const countRow = z.object({ count: z.number() });
export const idRow = z.object({ id: z.string() });

/** A user as `GET /auth/profile` shows it. */
export type Profile = z.output<typeof profileRow>;

/** A message that nobody has read has no `readAt` on the wire, rather than null. */
export const messageRow = wireMessage.transform(({ readAt, ...message }) =>
  typeof readAt === "string" ? { ...message, readAt } : message,
);
