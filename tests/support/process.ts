/** The gateway as a process of its own, for as long as a test runs. */
import { onTestFinished } from "vitest";
import { runProcess, type ProcessOptions, type RunningProcess } from "./gateway-program.ts";

export { NPM_START_COMMAND, START_COMMAND, temporaryDirectory } from "./gateway-program.ts";
export type { Exit, LogEntry, ProcessOptions, RunningProcess } from "./gateway-program.ts";

/** Starts the gateway as a process of its own, which does not outlive the test. */
export async function startProcess(options: ProcessOptions = {}): Promise<RunningProcess> {
  const running = await runProcess(options);
  // A test that runs out of time never comes to its disposers.
  onTestFinished(() => running[Symbol.asyncDispose]());
  return running;
}
