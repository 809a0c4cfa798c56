/** The scripts that look for lost messages, and for what stays in memory, for a few seconds each: they find nothing, and end with all that they started. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { startProcess, temporaryDirectory } from "../support/process.ts";

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

test("npm run soak: when all have left, the gateway on Redis holds what it held before", async () => {
  await using directory = await temporaryDirectory();
  const picture = join(directory.path, "soak.svg");
  const options = [
    "--bus",
    "redis",
    "--minutes",
    "0.05",
    "--clients",
    "40",
    "--stay",
    "1",
    "--seed",
    "1",
    "--picture",
    picture,
  ];
  const output = await run("soak", ...options);
  expect(output).toMatch(/^redis: 40 clients, [1-9]\d* visits and \d+ messages in \d+ s, seed 1$/m);
  expect(output.match(/^\| redisKeys /gm)).toHaveLength(1);
  const svg = await readFile(picture, "utf8");
  expect(svg.match(/<polyline /g)).toHaveLength(6);
});
