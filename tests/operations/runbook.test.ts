/** "Faults" in docs/OPERATIONS.md: each fault shows what the runbook says, and what the page names is there. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CONFIG_TABLE } from "../../src/config/config.ts";
import { ERROR_CATALOGUE } from "../../src/errors.ts";
import { FAMILIES } from "../../src/server/admin/families.ts";
import { METRIC_PREFIX } from "../../src/server/admin/metrics.ts";
import { startGateway } from "../support/gateway.ts";
import { scrape, type Scrape } from "../support/metrics.ts";
import { SCENES, type Watched } from "./runbook-scenes.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
const guide = read("docs/OPERATIONS.md");

interface Row {
  readonly fault: string;
  readonly seen: string;
}

const [, section = ""] = /\n## Faults\n([^]*?)\n## /.exec(guide) ?? [];
const rows = section
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| fault"))
  .map((line): Row => {
    const [, fault = "", seen = ""] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    return { fault, seen };
  });

/** What is to be seen that a program can look for, and is not there; empty where the row is right. */
async function absentFrom({ seen }: Row, watched: Watched): Promise<readonly string[]> {
  const absent = [...absentLines(seen, watched)];
  const metrics = [...seen.matchAll(/`(\w+(?:\{[^}]*\})?) (==|>) ([\d.]+)(?: \* (\w+))?`/g)];
  if (metrics.length > 0) {
    const scraped = await scrape(watched.adminUrl ?? "");
    for (const [text, series = "", operator, number, factor] of metrics) {
      const bound = Number(number) * (factor === undefined ? 1 : (valueOf(scraped, factor) ?? Number.NaN));
      const value = valueOf(scraped, series) ?? Number.NaN;
      if (operator === ">" ? !(value > bound) : value !== bound) absent.push(`${text}, but it is ${value}`);
    }
  }
  const [, part] = /`\/ready` 503 `(\w+)`/.exec(seen) ?? [];
  if (part !== undefined) {
    const answer = await (await fetch(new URL("/ready", watched.url))).json();
    if (!JSON.stringify(answer).includes(`"${part}"`)) absent.push(`/ready: ${JSON.stringify(answer)}`);
  }
  if (seen.includes("`/health` hangs") && !(await hangs(new URL("/health", watched.url)))) absent.push("/health hangs");
  return absent;
}

/** Log lines are quoted; of what stands after "with" one has to be in the line. */
function* absentLines(seen: string, { logged }: Watched): Generator<string> {
  const withoutLabels = seen.replace(/`[^`]*"[^`]*`/g, "");
  for (const [text, message = "", reasons = ""] of withoutLabels.matchAll(
    /"([^"]+)"(?: with ((?:`[^`]+`(?:, | or )?)+))?/g,
  )) {
    const wanted = [...reasons.matchAll(/`([^`]+)`/g)].map(([, reason = ""]) => reason);
    const lines = logged.filter(({ msg }) => String(msg).startsWith(message)).map((line) => JSON.stringify(line));
    if (!lines.some((line) => wanted.length === 0 || wanted.some((reason) => line.includes(reason)))) {
      yield `${text}, but there is ${lines.join() || logged.map(({ msg }) => msg).join()}`;
    }
  }
}

function valueOf(scraped: Scrape, series: string): number | undefined {
  const [, name = "", labels = ""] = /^(\w+)(?:\{(.*)\})?$/.exec(series) ?? [];
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", value = ""]) => [label, value]);
  const prefix = /^(process|nodejs)_/.test(name) ? "" : METRIC_PREFIX;
  return scraped.value(`${prefix}${name}`, Object.fromEntries(pairs) as Record<string, string>);
}

/** Whether nothing has come when another instance, which was asked later, has answered. */
async function hangs(url: URL): Promise<boolean> {
  const answer = fetch(url).then(
    () => false,
    () => false,
  );
  await using other = await startGateway();
  const barrier = fetch(new URL("/health", other.url)).then(() => true);
  return await Promise.race([answer, barrier]);
}

test("each fault of the runbook is brought about by a test", () => {
  expect(rows.map(({ fault }) => fault).toSorted()).toEqual(Object.keys(SCENES).toSorted());
});

test.each(rows)("$fault", async (row) => {
  await using until = new AsyncDisposableStack();
  const watched = await SCENES[row.fault]?.(until);
  if (!watched) throw new Error("nothing brings it about");
  await expect.poll(() => absentFrom(row, watched)).toEqual([]);
});

test("each metric, alert, variable and code that the runbook names is there", () => {
  const families = new Set(FAMILIES.map(({ name }) => name));
  const used = [...section.matchAll(/`(\w+)(?:\{[^}]*\})?(?: (?:==|>) [^`]*)?`/g)].map(([, name = ""]) => name);
  const metrics = used.filter((name) => /^[a-z]+_[a-z_]*[a-z]$/.test(name) && !/^(process|nodejs)_/.test(name));
  expect(metrics.length).toBeGreaterThan(10);
  expect(metrics.filter((name) => !families.has(name.replace(/_(sum|count|bucket)$/, "")))).toEqual([]);
  const alerts = used.filter((name) => /^Gateway[A-Z]/.test(name));
  expect(alerts.length).toBeGreaterThan(5);
  expect(alerts.filter((name) => !read("deploy/prometheus/alerts.yml").includes(`alert: ${name}\n`))).toEqual([]);
});

/** Of Node.js, OpenSSL and systemd. */
const FOREIGN = /^(NODE_|OTEL_|DEPTH_ZERO_|CERT_)/;

test("what the page names is there: variables, commands, files, lines of the log", () => {
  const known = new Set([...CONFIG_TABLE.map(({ name }) => name), ...Object.keys(ERROR_CATALOGUE)]);
  const variables = [...guide.matchAll(/`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`/g)].map(([, name = ""]) => name);
  expect(variables.length).toBeGreaterThan(30);
  expect(variables.filter((name) => !known.has(name) && !FOREIGN.test(name))).toEqual([]);
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const commands = [...guide.matchAll(/npm (?:run )?([a-z:-]+)/g)].map(([, name = ""]) => name);
  expect(commands.length).toBeGreaterThan(3);
  expect(commands.filter((name) => /^(start|sizing|soak|cold-start)/.test(name) && !(name in scripts))).toEqual([]);
  const files = [
    ...guide.matchAll(/(?:`|\]\(|--file |--filename )((?:\.\.\/)?[\w./-]+\.(?:ts|yml|yaml|json|md|svg))/g),
  ];
  expect(files.length).toBeGreaterThan(10);
  const exists = (path: string): boolean =>
    [new URL(path, ROOT), new URL(path, new URL("docs/", ROOT))].some((url) => existsSync(url));
  expect(files.map(([, path = ""]) => path).filter((path) => !exists(path))).toEqual([]);
  const sources = [...globSync("src/**/*.ts"), "CHANGELOG.md"].map((path) => read(path)).join("\n");
  const quoted = [...guide.replace(/```[^]*?```/g, "").matchAll(/(?<=[\s(])"([^"\n]+)"/g)].map(([, text = ""]) => text);
  expect(quoted.length).toBeGreaterThan(20);
  expect(quoted.filter((text) => !sources.includes(text))).toEqual([]);
});
