/** The applications are there to be copied: each is small, and complete with the shared folder in it. */
import { execFile } from "node:child_process";
import { cpSync, globSync, mkdtempDisposableSync, readFileSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { build } from "vite";
import { expect, test } from "vitest";

const APPLICATIONS = ["react-kit", "react-apollo", "react-urql"];

test.each(APPLICATIONS)("%s has at most 220 lines of its own", (name) => {
  const files = globSync(`examples/${name}/src/*.{ts,tsx}`);
  const lines = files.flatMap((file) => readFileSync(file, "utf8").trimEnd().split("\n"));
  expect(files.length).toBeGreaterThan(0);
  expect(lines.length).toBeLessThanOrEqual(220);
});

// The compiler has the time that it takes on a busy machine.
test("a copy with the shared folder in it compiles and is built elsewhere", { timeout: 300_000 }, async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "copy-"));
  symlinkSync(resolve("node_modules"), join(folder.path, "node_modules"));
  const copy = join(folder.path, "my-chat");
  const isSource = (path: string): boolean => !path.endsWith("node_modules");
  cpSync("examples/react-urql", copy, { recursive: true, filter: isSource });
  cpSync("examples/shared", join(copy, "src/shared"), { recursive: true, filter: isSource });
  symlinkSync(resolve("examples/react-urql/node_modules"), join(copy, "node_modules"));
  await promisify(execFile)("node_modules/.bin/tsc", ["--project", copy]);
  const built = await build({ root: copy, logLevel: "warn", build: { write: false, minify: false } });
  const modules =
    "output" in built ? built.output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : [])) : [];
  expect(modules.filter((id) => id.includes("/shared/page.tsx"))).toEqual([join(copy, "src/shared/page.tsx")]);
});
