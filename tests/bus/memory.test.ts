import { createMemoryBus } from "../../src/bus/memory.ts";
import { busContract } from "./contract.ts";

busContract("memory", async (onListenerError) => {
  const bus = createMemoryBus<{ readonly n: number }>({ isKept: () => true, logAgeMs: 60_000, onListenerError });
  return { one: bus, other: bus, [Symbol.asyncDispose]: () => bus.close() };
});
