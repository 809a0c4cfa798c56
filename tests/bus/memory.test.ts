import { createMemoryBus } from "../../src/bus/memory/memory-bus.ts";
import { busContract } from "./contract.ts";
import { TEST_EVENTS } from "./events.ts";

busContract("memory", async (onListenerError) => {
  const bus = createMemoryBus({ ...TEST_EVENTS, onListenerError });
  return { one: bus, other: bus, [Symbol.asyncDispose]: () => bus.close() };
});
