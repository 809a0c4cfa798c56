/** Bounds every wait for an answer of a gateway: one that never comes is harm, and not a run that hangs. */
import { performance } from "node:perf_hooks";
import { Harm } from "./harm.ts";

/**
 * Longer than a request to the REST API may take: a gateway that does not answer until then has forgotten to. Of the time of this process,
 * which the gateway is a part of: on a machine that has other things to do an answer may take many times as long.
 */
const PATIENCE_MS = 150_000;

/** Settles as `answer` does. @throws Harm where it does not. */
export async function patiently<T>(what: string, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const untilMs = ownTimeMs() + PATIENCE_MS;
  const look = (): void => {
    const restMs = untilMs - ownTimeMs();
    if (restMs > 0) timer = setTimeout(look, Math.ceil(restMs));
    else late.reject(new Harm(`the gateway does not answer: ${what}`));
  };
  let timer = setTimeout(look, PATIENCE_MS);
  return Promise.race([answer, late.promise]).finally(() => clearTimeout(timer));
}

/** What this process has worked and been idle, without what it has waited for a processor. */
function ownTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + performance.eventLoopUtilization().idle;
}
