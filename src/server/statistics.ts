import type { Log } from "../log.ts";

/**
 * Logs what the process is doing, every `intervalMs`: one line that tells an operator without metrics whether it is well.
 *
 * @returns stops it.
 */
export function startStatistics(
  read: () => Readonly<Record<string, number>>,
  intervalMs: number,
  log: Log,
): () => void {
  const timer = setInterval(
    () => log.info({ ...read(), heapBytes: process.memoryUsage().heapUsed }, "statistics"),
    intervalMs,
  );
  timer.unref();
  return () => clearInterval(timer);
}
