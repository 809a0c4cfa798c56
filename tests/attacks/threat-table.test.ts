/** docs/SECURITY.md says of each attack which test shows its limit: that test has to be there. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CONFIG_TABLE } from "../../src/config/config.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const text = readFileSync(`${root}docs/SECURITY.md`, "utf8");

/** Rows of the tables of attacks: those of four columns. */
function threats(): string[][] {
  const rows = text.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| attack "));
  return rows.map((line) => line.split(/(?<!\\)\|/).slice(1, -1)).filter(({ length }) => length === 4);
}

test("every attack names a limit and tests that exist", () => {
  const found = threats();
  expect(found.length).toBeGreaterThan(10);
  for (const [attack = "", limit = "", , named = ""] of found) {
    expect(limit.trim(), attack).not.toBe("");
    const paths = [...named.matchAll(/`(tests\/[^`]+\.test\.ts)`/g)].map(([, path = ""]) => path);
    expect(paths, attack).not.toEqual([]);
    for (const path of paths) expect(globSync(path, { cwd: root }), `${attack}: ${path}`).toHaveLength(1);
  }
});

test("every variable that is named exists, with the default that is told", () => {
  const defaults = new Map(CONFIG_TABLE.map(({ name, shownDefault }) => [name, shownDefault]));
  const named = [...text.matchAll(/`([A-Z][A-Z_]+[A-Z])(?:=([^`]*))?`/g)].filter(([, name = ""]) => name.includes("_"));
  const variables = named.filter(([, name = ""]) => !isErrorCode(name));
  expect(variables.length).toBeGreaterThan(5);
  for (const [, name = "", given] of variables) {
    expect([...defaults.keys()], name).toContain(name);
    if (given !== undefined && name !== "NODE_ENV") expect(given, name).toBe(defaults.get(name));
  }
});

function isErrorCode(name: string): boolean {
  return readFileSync(`${root}src/errors.ts`, "utf8").includes(`  ${name}: {`);
}
