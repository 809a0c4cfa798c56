/** Results as they are kept: `bench/results.json`, from which the document and the picture are made. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Finding } from "../scenarios/scenario.ts";
import { summarise, type Summary } from "./statistics.ts";

export interface Sample {
  readonly case: string;
  readonly peer: string;
  readonly round: number;
  /** Absent where it failed. */
  readonly finding?: Finding;
  readonly failure?: string;
  /** Of the server's core: what others had of it meanwhile, 0 to 1. More than a few hundredths disturb. */
  readonly othersShare: number;
}

export interface Result {
  /** ISO 8601. */
  readonly date: string;
  readonly command: string;
  readonly rounds: number;
  readonly windowMs: number;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
}

/** By the name of the scenario. */
export type Results = Readonly<Record<string, Result>>;

/** From which the document is made. */
export const RESULTS_FILE = fileURLToPath(new URL("../results.json", import.meta.url));

export function readResults(file: string): Results {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : {};
}

export function writeResults(file: string, results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, undefined, 1)}\n`);
}

/** The samples of both, where what they were measured with is the same; else the newer alone. */
export function added(earlier: Result | undefined, newer: Result): Result {
  if (!earlier || !isAlike(earlier, newer)) return newer;
  return { ...newer, rounds: earlier.rounds + newer.rounds, samples: [...earlier.samples, ...newer.samples] };
}

export function isAlike(one: Result, other: Pick<Result, "machine" | "versions" | "windowMs">): boolean {
  const alike = ({ machine, versions, windowMs }: typeof other): string =>
    JSON.stringify([machine, versions, windowMs]);
  return alike(one) === alike(other);
}

/** Whether every delivery came exactly once and no connection was lost. */
export function isExact({ finding }: Sample): boolean {
  if (!finding) return false;
  return finding.lostConnections === 0 && finding.accounts.every(({ faults }) => faults.length === 0);
}

/** Of the rounds in which nothing was lost: numbers of the others would flatter. */
export function exactValues(
  result: Result,
  peer: string,
  inCase: string,
  name: string,
): readonly { readonly round: number; readonly value: number }[] {
  const samples = result.samples.filter((sample) => sample.peer === peer && sample.case === inCase && isExact(sample));
  return samples.flatMap(({ round, finding }) => {
    const value = finding?.values[name];
    return value === undefined ? [] : [{ round, value }];
  });
}

export function summaryOf(result: Result, peer: string, inCase: string, name: string): Summary | undefined {
  return summarise(exactValues(result, peer, inCase, name).map(({ value }) => value));
}

/** What a sample that is not exact tells of itself. */
export function complaint({ finding, failure, round }: Sample): string {
  const faults = finding?.accounts.flatMap((account) => account.faults) ?? [];
  const lost = finding && finding.lostConnections > 0 ? [`${finding.lostConnections} connections lost`] : [];
  return `round ${round + 1}: ${[...(failure === undefined ? [] : [failure]), ...faults, ...lost].join("; ")}`;
}
