/** What a processor profile of V8 says, as a table: whose code the time went to. */
import { readFileSync } from "node:fs";

/** As much of the file's format as is used here. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** From the sample before to each, in µs. */
  readonly timeDeltas: readonly number[];
}

interface Share {
  readonly name: string;
  readonly us: number;
}

const PACKAGES = 20;
const FUNCTIONS = 40;
/** Nothing ran. */
const IDLE = "(idle)";

/** Self time by package and by function, in per cent of the time in which something ran. */
export function profileTable(file: string): string {
  const profile = JSON.parse(readFileSync(file, "utf8")) as Profile;
  const byPackage = new Map<string, number>();
  const byFunction = new Map<string, number>();
  let total = 0;
  for (const { name, place, us } of selfTimes(profile)) {
    if (name === IDLE) continue;
    total += us;
    add(byPackage, packageOf(name, place), us);
    add(byFunction, `${name || "(anonymous)"}  ${place}`, us);
  }
  const lines = (shares: Map<string, number>, count: number): string[] =>
    largest(shares, count).map((share) => `${((100 * share.us) / total).toFixed(1).padStart(6)} %  ${share.name}`);
  return [
    file,
    `${(total / 1000).toFixed(0)} ms of self time; by package:`,
    ...lines(byPackage, PACKAGES),
    "by function:",
    ...lines(byFunction, FUNCTIONS),
    "",
  ].join("\n");
}

function* selfTimes({ nodes, samples, timeDeltas }: Profile): Generator<{ name: string; place: string; us: number }> {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    // A sample's time is what passes until the next one.
    const us = timeDeltas[index + 1];
    if (!frame || us === undefined) continue;
    const place = shortened(frame.url);
    yield { name: frame.functionName, place: place && `${place}:${frame.lineNumber + 1}`, us };
  }
}

/** A file without the way to it. */
function shortened(url: string): string {
  return url.replace(/^.*\/node_modules\//, "").replace(/^.*\/(?=src\/)/, "");
}

/** A package of npm, a folder of `src/`, or a part of Node.js. */
function packageOf(name: string, place: string): string {
  if (name.startsWith("(")) return name;
  if (place === "") return "natively in V8 and Node.js";
  if (place.startsWith("node:")) return /^node:(internal\/)?[^/:]+/.exec(place)?.[0] ?? place;
  return /^(src\/[^/:]+|@[^/]+\/[^/]+|[^/:]+)/.exec(place)?.[0] ?? place;
}

function largest(shares: ReadonlyMap<string, number>, count: number): readonly Share[] {
  return [...shares]
    .map(([name, us]) => ({ name, us }))
    .toSorted((a, b) => b.us - a.us)
    .slice(0, count);
}

function add(sums: Map<string, number>, key: string, us: number): void {
  sums.set(key, (sums.get(key) ?? 0) + us);
}
