/**
 * This checkout of the gateway against another one. Both servers run at the same time, and windows alternate between them, so that a
 * pair of windows is seconds apart: the pace of a shared machine changes from minute to minute by more than what is looked for.
 */
import process from "node:process";
import { gatewayVersion } from "./machine.ts";
import type { Options } from "./options.ts";
import { gatewayPair, GATEWAY_ROOT, openStage, type Peer, type Stage } from "./peers.ts";
import { table } from "./report/markdown.ts";
import { complaint, isExact, type Sample } from "./report/results.ts";
import { geometricMean, ratioOf, summarise } from "./report/statistics.ts";
import type { Case, Column, Prepared, Scenario } from "./scenarios/scenario.ts";

/** Pairs of windows in one life of the two servers. */
const PAIRS = 4;

interface Pair {
  readonly round: number;
  readonly here: Sample;
  readonly there: Sample;
}

/** Prints a table of ratios for each scenario. Resolves with whether every delivery came exactly once. */
export async function measureAgainst(root: string, options: Options): Promise<boolean> {
  const { rounds, scale } = options;
  let isEverythingExact = true;
  process.stdout.write(`${gatewayVersion(GATEWAY_ROOT)} against ${gatewayVersion(root)} (${root})\n`);
  for (const scenario of options.scenarios.filter(({ peers }) => peers?.includes("gateway") ?? true)) {
    const pairs: Pair[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const current of scenario.cases(scale)) {
        pairs.push(...(await measureLives(scenario, current, gatewayPair(root), round, options)));
      }
    }
    const complaints = pairs.flatMap(({ here, there }) => [here, there]).filter((sample) => !isExact(sample));
    for (const sample of complaints) process.stdout.write(`not exact: ${sample.peer}, ${complaint(sample)}\n`);
    isEverythingExact &&= complaints.length === 0;
    process.stdout.write(`\n${ratioTable(scenario.columns(scale), pairs, scenario)}\n`);
  }
  return isEverythingExact;
}

/** One life of both servers: the one that is prepared first changes from round to round, the one that is measured first from pair to pair too. */
async function measureLives(
  scenario: Scenario,
  { name, world, instances }: Case,
  peers: readonly [Peer, Peer],
  round: number,
  { scale }: Options,
): Promise<Pair[]> {
  const stageOptions = { world, persist: scenario.persist, instances };
  await using hereStage = await openStage(peers[0], stageOptions);
  await using thereStage = await openStage(peers[1], stageOptions);
  using measured = new DisposableStack();
  const prepare = async (stage: Stage): Promise<Prepared> => measured.use(await scenario.prepare(stage, scale));
  // The server that is prepared first is idle while the other one is, and slower in its next window, which may be the only one.
  const thereFirst = round % 2 === 1 ? await prepare(thereStage) : undefined;
  const here = await prepare(hereStage);
  const there = thereFirst ?? (await prepare(thereStage));
  const sampleOf = async (prepared: Prepared, { name: peer }: Peer): Promise<Sample> => {
    const finding = await prepared.measure();
    return { case: name, peer, round, finding, othersShare: 0 };
  };
  const pairs: Pair[] = [];
  if (!scenario.once) {
    // Unmeasured, for the same reason.
    await here.measure();
    await there.measure();
  }
  for (let pair = 0; pair < (scenario.once ? 1 : PAIRS); pair++) {
    if ((round + pair) % 2 === 0) {
      const first = await sampleOf(here, peers[0]);
      pairs.push({ round, here: first, there: await sampleOf(there, peers[1]) });
    } else {
      const first = await sampleOf(there, peers[1]);
      pairs.push({ round, here: await sampleOf(here, peers[0]), there: first });
    }
    const last = pairs.at(-1);
    const values = Object.entries(last?.here.finding?.values ?? {}).map(([value, number]) => {
      const other = last?.there.finding?.values[value] ?? Number.NaN;
      return `${value} ${number.toFixed(2)} / ${other.toFixed(2)} = ${(number / other).toFixed(3)}`;
    });
    process.stderr.write(`${[scenario.name, name, `round ${round + 1}`, ...values].join("  ")}\n`);
  }
  return pairs;
}

function ratioTable(columns: readonly Column[], pairs: readonly Pair[], { title }: Scenario): string {
  const rows = columns.flatMap(({ case: inCase, value, heading, digits }) => {
    const numbers = pairs.flatMap(({ here, there, round }) => {
      const [a, b] = [here.finding?.values[value], there.finding?.values[value]];
      return here.case === inCase && a !== undefined && b !== undefined && a > 0 && b > 0 ? [{ round, a, b }] : [];
    });
    const ratio = ratioOf(
      [...Map.groupBy(numbers, ({ round }) => round).values()].map((each) =>
        geometricMean(each.map(({ a, b }) => a / b)),
      ),
    );
    const spread = summarise(numbers.map(({ a, b }) => a / b));
    if (!ratio || !spread) return [];
    const [here, there] = [summarise(numbers.map(({ a }) => a)), summarise(numbers.map(({ b }) => b))];
    const interval = ratio.low === undefined ? "one round" : `${ratio.low.toFixed(3)}–${ratio.high?.toFixed(3)}`;
    return [
      [
        heading,
        here?.median.toFixed(digits) ?? "",
        there?.median.toFixed(digits) ?? "",
        `**${ratio.mean.toFixed(3)}**`,
        interval,
        `${spread.min.toFixed(3)}–${spread.max.toFixed(3)}`,
        String(numbers.length),
      ],
    ];
  });
  const head = [
    title,
    "here, median",
    "there, median",
    "here / there",
    "95 % interval",
    "pairs, lowest–highest",
    "pairs",
  ];
  return table(head, rows);
}
