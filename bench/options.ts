/** What the command line asks for. */
import { resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { RESULTS_FILE } from "./report/results.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import type { Scale, Scenario } from "./scenarios/scenario.ts";

export interface Options {
  readonly scale: Scale;
  readonly rounds: number;
  readonly scenarios: readonly Scenario[];
  readonly peer: string | undefined;
  /** A checkout that the present one is compared with, in the place of the peers. */
  readonly against: string | undefined;
  /** Whether results.json and the document are written: after a trial only on demand. */
  readonly write: boolean;
  /** Whether the rounds are added to the last results, where those are of the same versions and windows. */
  readonly add: boolean;
  /** Where the results are written; into another file than the usual one without the document. */
  readonly results: string;
  /** Where the servers' profiles go. */
  readonly profile: string | undefined;
  readonly command: string;
}

const FULL: Scale = { quick: false, windowMs: 5000, longWindowMs: 45_000 };
const QUICK: Scale = { quick: true, windowMs: 1500, longWindowMs: 1500 };
/** Short, because the pace of the machine changes: the two windows of a pair are to be close together. */
const PAIRED: Scale = { quick: false, windowMs: 2500, longWindowMs: 5000 };
const ROUNDS = 5;

/** Throws where the command line cannot be followed. */
export function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      peer: { type: "string" },
      against: { type: "string" },
      rounds: { type: "string" },
      window: { type: "string" },
      add: { type: "boolean", default: false },
      results: { type: "string" },
      write: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  const { quick, only, peer, against, rounds, window, write, add, results, profile } = values;
  const scenarios = SCENARIOS.filter(({ name }) => only?.includes(name) ?? true);
  if (scenarios.length < (only?.length ?? 0)) {
    throw new Error(`--only: expected some of ${SCENARIOS.map(({ name }) => name).join(", ")}`);
  }
  const ownScale = quick ? QUICK : against === undefined ? FULL : PAIRED;
  const args = process.argv.slice(2);
  const isTrial = [peer, against, rounds, window, profile].some((value) => value !== undefined);
  return {
    scale: window === undefined ? ownScale : withWindow(ownScale, 1000 * positive("--window", window)),
    rounds: rounds === undefined ? (quick ? 1 : ROUNDS) : positive("--rounds", rounds),
    scenarios,
    peer,
    against: against === undefined ? undefined : fromCaller(against),
    add,
    results: results === undefined ? RESULTS_FILE : fromCaller(results),
    write: write || add || results !== undefined || !(quick || isTrial),
    profile: profile === undefined ? undefined : fromCaller(profile),
    command: ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" "),
  };
}

function withWindow(scale: Scale, windowMs: number): Scale {
  return { ...scale, windowMs, longWindowMs: windowMs };
}

/** A path as the caller means it: `npm run bench` changes to this folder first. */
function fromCaller(path: string): string {
  return resolve(process.env["INIT_CWD"] ?? ".", path);
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option}: expected a number above 0, got ${text}`);
  return value;
}
