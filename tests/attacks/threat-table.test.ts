/** docs/SECURITY.md says of each attack which test shows its limit: that test has to be there. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CONFIG_TABLE } from "../../src/config/config.ts";
import { ERROR_CATALOGUE } from "../../src/errors.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const text = readFileSync(`${root}docs/SECURITY.md`, "utf8");

interface Threat {
  readonly attack: string;
  readonly limit: string;
  readonly tests: readonly string[];
}

/** Rows of the tables of attacks: those of four columns. */
function threats(): Threat[] {
  const rows = text.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| attack "));
  const cells = rows.map((line) => line.split(/(?<!\\)\|/).slice(1, -1));
  return cells
    .filter(({ length }) => length === 4)
    .map(([attack = "", limit = "", , named = ""]) => ({
      attack: attack.trim(),
      limit: limit.trim(),
      tests: [...named.matchAll(/`(tests\/[^`]+\.test\.ts)`/g)].map(([, path = ""]) => path),
    }));
}

test("every attack names its limit and tests that exist", () => {
  const found = threats();
  expect(found.length).toBeGreaterThan(10);
  expect(found.filter(({ limit, tests }) => limit === "" || tests.length === 0)).toEqual([]);
  expect(found.filter(({ tests }) => !tests.every((path) => existsSync(root + path)))).toEqual([]);
});

test("every variable that is named exists, and its default is the one that is told", () => {
  const defaults = new Map(CONFIG_TABLE.map(({ name, shownDefault }) => [name, shownDefault]));
  const named = [...text.matchAll(/`([A-Z]+_[A-Z_]+[A-Z])(?:=([^`]*))?`/g)].map(([, name = "", told]) => ({
    name,
    told,
  }));
  const variables = named.filter(({ name }) => name !== "NODE_ENV" && !Object.hasOwn(ERROR_CATALOGUE, name));
  expect(variables.length).toBeGreaterThan(5);
  const wrong = variables.filter(
    ({ name, told }) => !defaults.has(name) || (told ?? defaults.get(name)) !== defaults.get(name),
  );
  expect(wrong).toEqual([]);
});
