/** The scripts that look for lost messages, for a few seconds each: they find nothing, and end with everything that they started. */
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { startProcess } from "../support/process.ts";

// Whole processes start, and more of them than this machine may have cores.
vi.setConfig({ testTimeout: 180_000 });

/** Resolves to what the script prints. */
async function run(script: string, ...args: readonly string[]): Promise<string> {
  const path = fileURLToPath(import.meta.resolve(`../../scripts/${script}/main.ts`));
  const running = await startProcess({ command: [process.execPath, path, ...args] });
  const exit = await running.exited;
  expect(`${running.errors}\n${running.output}`).not.toContain("VIOLATION");
  expect(exit).toEqual({ code: 0, signal: null });
  return running.output;
}

test("npm run chaos: what happens at random costs nobody a message", async () => {
  expect(await run("chaos", "--minutes", "0.15", "--seed", "3")).toContain(
    "0 lost, 0 doubled, 0 orders that differ, 0 subscriptions ended",
  );
});

test("npm run rolling: instances that are stopped in turn cost nobody a message", async () => {
  const options = ["--minutes", "0.15", "--seed", "1", "--clients", "60", "--rate", "40"];
  expect(await run("rolling", ...options)).toMatch(/\| both \| no \| 1 \| 60 \|.*\| 0 \| 0 \| 0 \| 0 \|\n$/);
});
