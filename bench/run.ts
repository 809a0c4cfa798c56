/** Measures everything, side by side; `README.md` lists the options. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";
import { measureAgainst } from "./against.ts";
import { describeMachine, describeVersions } from "./machine.ts";
import { readOptions, type Options } from "./options.ts";
import { LOAD_CORE } from "./processes.ts";
import { writeReport } from "./report/document.ts";
import { toMarkdown } from "./report/markdown.ts";
import { added, isAlike, isExact, readResults, RESULTS_FILE, writeResults, type Result } from "./report/results.ts";
import { toSvg } from "./report/svg.ts";
import { measure } from "./rounds.ts";
import { SCENARIOS } from "./scenarios/all.ts";

/** 18,000 connections, and the REST API's beside. */
const NEEDED_FILES = 19_000;

/** The load runs in this process, on its core; what it starts inherits the core unless it is told another one. */
function prepareProcess(): void {
  if (availableParallelism() < 2) throw new Error("two cores are needed: one for the server, one for the load");
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", String(LOAD_CORE), String(process.pid)], {
    stdio: "ignore",
  });
  // Node.js takes as many as the hard limit allows; only the superuser may raise that.
  const files = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
  if (files >= NEEDED_FILES) return;
  try {
    execFileSync("prlimit", ["--pid", String(process.pid), `--nofile=${NEEDED_FILES}:${NEEDED_FILES}`]);
  } catch {
    throw new Error(`ulimit -Hn: expected at least ${NEEDED_FILES}, got ${files}, which cannot be raised from here`);
  }
}

/** Every scenario in every peer, and the report. Resolves with whether every delivery came exactly once. */
async function measurePeers(options: Options): Promise<boolean> {
  const { rounds, scale, command } = options;
  const [machine, versions] = [describeMachine(), describeVersions()];
  const measured: Record<string, Result> = {};
  for (const scenario of options.scenarios) {
    const date = new Date().toISOString();
    const windowMs = scenario.isLong ? scale.longWindowMs : scale.windowMs;
    const about = { date, command, rounds, windowMs, machine, versions };
    const earlier = options.add ? readResults(options.results)[scenario.name] : undefined;
    const firstRound = earlier && isAlike(earlier, about) ? earlier.rounds : 0;
    measured[scenario.name] = added(earlier, { ...about, samples: await measure(scenario, options, firstRound) });
    // After each, so that a run that is broken off has not been for nothing.
    if (options.write) {
      const results = { ...readResults(options.results), ...measured };
      writeResults(options.results, results);
      if (options.results !== RESULTS_FILE) continue;
      writeReport(toMarkdown(SCENARIOS, results, scale), toSvg(SCENARIOS, results, scale));
    }
  }
  process.stdout.write(`${toMarkdown(options.scenarios, measured, scale)}\n`);
  return Object.values(measured).every(({ samples }) => samples.every(isExact));
}

const options = readOptions();
prepareProcess();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
const { against } = options;
const isEverythingExact = await (against === undefined ? measurePeers(options) : measureAgainst(against, options));
if (!isEverythingExact) process.exitCode = 1;
