/** The document's part that is measured: a section with a table for each scenario. */
import { PEERS, type PeerName } from "../peers.ts";
import type { Column, Scale, Scenario } from "../scenarios/scenario.ts";
import { numeral } from "./numeral.ts";
import { complaint, exactValues, isExact, summaryOf, type Result, type Results } from "./results.ts";
import { summarise, type Summary } from "./statistics.ts";

/** A share of the server's core that others had, above which numbers are not to be trusted. */
const DISTURBED = 0.05;

export function toMarkdown(scenarios: readonly Scenario[], results: Results, scale: Scale): string {
  const measured = scenarios.flatMap((scenario) => {
    const result = results[scenario.name];
    return result ? [{ scenario, result }] : [];
  });
  const circumstances = new Map<string, string[]>();
  for (const { scenario, result } of measured) {
    const text = circumstancesOf(result);
    circumstances.set(text, [...(circumstances.get(text) ?? []), scenario.name]);
  }
  const heads = [...circumstances].map(([text, names]) =>
    circumstances.size === 1 ? text : `${names.join(", ")}: ${text}`,
  );
  return [
    "![The results as a picture](benchmarks.svg)",
    ...heads,
    "Each cell: the median of the rounds (lowest–highest); behind it, where given, the median of its ratios to bare ws in the same round.",
    ...measured.map(({ scenario, result }) => section(scenario, result, scale)),
  ].join("\n\n");
}

function circumstancesOf({ date, command, rounds, windowMs, machine, versions }: Result): string {
  return (
    `Measured on ${date.slice(0, 10)} with \`${command}\`: ${rounds} ${rounds === 1 ? "round" : "rounds"}, windows of ` +
    `${windowMs / 1000} s. Machine: ${list(machine)}. Versions: ${list(versions)}.`
  );
}

function list(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function section(scenario: Scenario, result: Result, scale: Scale): string {
  const columns = scenario.columns(scale);
  const counts = result.samples.some(({ finding }) => finding?.accounts.length !== 0);
  const present = peersOf(scenario).filter((peer) => result.samples.some((sample) => sample.peer === peer.name));
  const disturbance = Math.max(...result.samples.map(({ othersShare }) => othersShare));
  const complaints = result.samples
    .filter((sample) => !isExact(sample))
    .map((sample) => `- **${sample.peer}**, ${sample.case}, ${complaint(sample)}`);
  return [
    `### ${scenario.title}`,
    scenario.text,
    ...[...Map.groupBy(columns, ({ group }) => group ?? "")].map(([group, grouped], index) => {
      const hasCounts = counts && index === 0;
      const rows = present.map(({ name, title }) => [
        title,
        ...grouped.map((column) => cell(result, name, column)),
        ...(hasCounts ? [deliveries(result, name)] : []),
      ]);
      const text = table(["", ...grouped.map(({ heading }) => heading), ...(hasCounts ? ["deliveries"] : [])], rows);
      return group === "" ? text : `${group}:\n\n${text}`;
    }),
    ...(disturbance > DISTURBED
      ? [`**Disturbed**: other processes had up to ${numeral(100 * disturbance, 0)} % of the server's core.`]
      : []),
    ...(complaints.length > 0 ? [`Not exact, and not in the medians:\n\n${complaints.join("\n")}`] : []),
  ].join("\n\n");
}

export function peersOf(scenario: Scenario): typeof PEERS {
  return PEERS.filter(({ name }: { name: PeerName }) => scenario.peers?.includes(name) ?? true);
}

function cell(result: Result, peer: string, column: Column): string {
  const summary = summaryOf(result, peer, column.case, column.value);
  if (!summary) return "none";
  const [median, min, max] = [summary.median, summary.min, summary.max].map((value) => numeral(value, column.digits));
  const text = min === max ? `**${median}**` : `**${median}** (${min}–${max})`;
  const ratio =
    column.against === undefined ? undefined : ratioTo(result, peer, { ...column, against: column.against });
  return ratio ? `${text}, ${numeral(ratio.median, 2)} ×` : text;
}

/** Undefined of the one that is compared with. */
function ratioTo(
  result: Result,
  peer: string,
  { against, case: inCase, value }: Column & { readonly against: PeerName },
): Summary | undefined {
  if (peer === against) return undefined;
  const others = new Map(exactValues(result, against, inCase, value).map((each) => [each.round, each.value]));
  const ratios = exactValues(result, peer, inCase, value).flatMap((each) => {
    const other = others.get(each.round);
    return other ? [each.value / other] : [];
  });
  return summarise(ratios);
}

function deliveries(result: Result, peer: string): string {
  const samples = result.samples.filter((sample) => sample.peer === peer);
  const accounts = samples.flatMap(({ finding }) => finding?.accounts ?? []);
  const expected = accounts.reduce((sum, account) => sum + account.expected, 0);
  const received = accounts.reduce((sum, account) => sum + account.received, 0);
  if (!samples.every(isExact)) return `**${numeral(received, 0)} of ${numeral(expected, 0)}, see below**`;
  return `all ${numeral(expected, 0)}`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map(row)].join("\n");
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
