/** An instance in a process of its own, to be killed: enters the users that it is told of, and says when it has. */
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import { LONG_MS } from "../support/deadlines.ts";
import { TEST_EVENTS } from "./events.ts";

const [url = "", prefix = "", ttlMs = "", ...users] = process.argv.slice(2);

const bus = await createRedisBus({
  ...TEST_EVENTS,
  url,
  prefix,
  startPatienceMs: LONG_MS,
  presenceTtlMs: Number(ttlMs),
  presenceGraceMs: 100,
  onListenerError(error) {
    throw error;
  },
});
for (const id of users) await bus.presence.enter({ id, name: id.toUpperCase() }, `lease of ${id}`);
process.stdout.write("entered\n");
