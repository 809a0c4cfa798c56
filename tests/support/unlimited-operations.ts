/** For tests of operations without a gateway around them. */
import { createMemoryLimiter } from "../../src/bus/rate-limiter.ts";
import { OperationLimit } from "../../src/chat/rate-limit.ts";
import { Counts } from "../../src/measures.ts";

/** More than any test asks for. */
export function unlimitedOperations(): OperationLimit {
  return new OperationLimit({ limiter: createMemoryLimiter }, { count: 1_000_000, windowMs: 1000 }, new Counts());
}
