/** Ids that the gateway makes. */
import { randomUUID } from "node:crypto";

/** A UUID in one piece. Node.js makes it of twenty, which stay apart in memory for as long as it lives. */
export function createId(): string {
  return Buffer.from(randomUUID(), "latin1").toString("latin1");
}
