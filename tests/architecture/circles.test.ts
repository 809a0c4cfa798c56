import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { circlesOf } from "./circles.ts";
import { importedFiles } from "./rules.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

test("no file of src or of the client kit imports itself through others, types included", () => {
  const files = globSync(["src/**/*.ts", "client/src/**/*.ts"], { cwd: root });
  const imports = new Map(files.map((path) => [path, importedFiles(path, readFileSync(`${root}${path}`, "utf8"))]));
  expect(imports.get("src/main.ts")).toContain("src/gateway.ts");
  const circles = circlesOf(imports);
  expect(circles).toEqual([]);
});

test("a circle is found through types, re-exports and dynamic imports", () => {
  const imports = new Map(
    Object.entries({
      "src/a.ts": 'import type { B } from "./b.ts";',
      "src/b.ts": 'export { C } from "./c/c.ts";',
      "src/c/c.ts": 'export const a = import("../a.ts"); import "../d.ts";',
      "src/d.ts": 'import "./e.ts";',
      "src/e.ts": "",
    }).map(([path, source]) => [path, importedFiles(path, source)]),
  );
  expect(circlesOf(imports)).toEqual([["src/a.ts", "src/b.ts", "src/c/c.ts"]]);
});
