import { z } from "zod";
import type { User } from "../model.ts";

/** A user as events carry one. */
export const user: z.ZodType<User> = z.object({ id: z.string(), name: z.string() });
