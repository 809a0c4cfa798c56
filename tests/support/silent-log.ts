import { pino } from "pino";
import type { Log } from "../../src/log.ts";

/** A log that writes nothing, for what is tested without a gateway. */
export function silentLog(): Log {
  return pino({ level: "silent" });
}
