import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Component {
  readonly group?: string;
  readonly name: string;
  readonly version: string;
}

test("the bill of materials and the notices name the same packages", async () => {
  const { stdout } = await promisify(execFile)("npm", ["run", "--silent", "sbom"], { cwd: ROOT, maxBuffer: 1e8 });
  const { components } = JSON.parse(stdout) as { components: readonly Component[] };
  const listed = components.map(({ group, name, version }) => `${group ? `${group}/` : ""}${name} ${version}`);
  const notices = await readFile(`${ROOT}THIRD_PARTY_NOTICES`, "utf8");
  const sections = notices.split(`${"-".repeat(80)}\n`).slice(1);
  const noted = sections.flatMap((section) => section.slice(0, section.indexOf("\n\n")).split("\n"));
  expect(listed.length).toBeGreaterThan(20);
  expect([...new Set(listed)].toSorted()).toEqual([...new Set(noted)].toSorted());
});
