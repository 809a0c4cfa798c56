import { createMemoryBus } from "../../src/bus/memory.ts";
import { busContract, TEST_EVENTS } from "./contract.ts";

busContract("memory", async (onListenerError) => {
  const bus = createMemoryBus({ ...TEST_EVENTS, onListenerError });
  return { one: bus, other: bus, [Symbol.asyncDispose]: () => bus.close() };
});
