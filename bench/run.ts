/** Measures everything, side by side: `node run.ts [--quick] [--only <scenario>] [--peer <peer>] [--rounds <n>] [--write] [--profile <folder>]`. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeMachine, describeVersions } from "./machine.ts";
import { openStage, type Peer } from "./peers.ts";
import { coreBusyMs, LOAD_CORE, SERVER_CORE } from "./processes.ts";
import { writeReport } from "./report/document.ts";
import { peersOf, toMarkdown } from "./report/markdown.ts";
import { profileTable } from "./report/profile.ts";
import { complaint, isExact, readResults, writeResults, type Result, type Sample } from "./report/results.ts";
import { toSvg } from "./report/svg.ts";
import { connecting, memory } from "./scenarios/connections.ts";
import { fanOut } from "./scenarios/fan-out.ts";
import { moreChats, moreConnections } from "./scenarios/growth.ts";
import { instances } from "./scenarios/instances.ts";
import { latency } from "./scenarios/latency.ts";
import type { Case, Scale, Scenario } from "./scenarios/scenario.ts";
import { smallChats } from "./scenarios/small-chats.ts";

const SCENARIOS: readonly Scenario[] = [
  fanOut,
  smallChats,
  latency,
  memory,
  connecting,
  moreConnections,
  moreChats,
  instances,
];

const FULL: Scale = { quick: false, windowMs: 5000 };
const QUICK: Scale = { quick: true, windowMs: 1500 };
const ROUNDS = 5;

/** 10,000 connections, and the REST API's beside. */
const NEEDED_FILES = 12_000;

interface Options {
  readonly scale: Scale;
  readonly rounds: number;
  readonly scenarios: readonly Scenario[];
  readonly peer: string | undefined;
  /** Whether results.json and the document are written: after a trial only on demand. */
  readonly write: boolean;
  /** Where the servers' profiles go. */
  readonly profile: string | undefined;
  readonly command: string;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      peer: { type: "string" },
      rounds: { type: "string" },
      write: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  const scenarios = SCENARIOS.filter(({ name }) => values.only?.includes(name) ?? true);
  if (scenarios.length < (values.only?.length ?? 0)) {
    throw new Error(`--only: expected some of ${SCENARIOS.map(({ name }) => name).join(", ")}`);
  }
  const args = process.argv.slice(2);
  return {
    scale: values.quick ? QUICK : FULL,
    rounds: Number(values.rounds ?? (values.quick ? 1 : ROUNDS)),
    scenarios,
    peer: values.peer,
    write:
      values.write ||
      !(values.quick || values.peer !== undefined || values.rounds !== undefined || values.profile !== undefined),
    profile: values.profile === undefined ? undefined : resolve(values.profile),
    command: ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" "),
  };
}

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

/** All rounds of one scenario. In a round every peer has its turn at each case; who begins changes with the round. */
async function measure(scenario: Scenario, options: Options): Promise<Sample[]> {
  const { scale, rounds, peer: only } = options;
  const peers = peersOf(scenario).filter(({ name }) => only === undefined || name === only);
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const current of scenario.cases(scale)) {
      for (let turn = 0; turn < peers.length; turn++) {
        const peer = peers[(turn + round) % peers.length];
        if (!peer) continue;
        const sample = await measureOnce(scenario, current, peer, round, options);
        report(scenario, sample);
        samples.push(sample);
      }
    }
  }
  return samples;
}

async function measureOnce(
  scenario: Scenario,
  { name, world, instances: count }: Case,
  peer: Peer,
  round: number,
  { scale, profile: folder }: Options,
): Promise<Sample> {
  const about = { case: name, peer: peer.name, round };
  // Bun is no Node.js.
  const profile = folder === undefined || peer.name === "bun" ? undefined : profileFile(folder, scenario, peer);
  let othersShare = 0;
  try {
    await using stage = await openStage(peer, { world, persist: scenario.persist, profile, instances: count });
    const others = (): number => coreBusyMs(SERVER_CORE) - stage.cpuMs();
    const [startedAt, before] = [performance.now(), others()];
    const finding = await scenario.measure(stage, scale, name);
    othersShare = Math.max(0, (others() - before) / (performance.now() - startedAt));
    if (profile !== undefined && existsSync(profile)) process.stderr.write(profileTable(profile));
    return { ...about, finding, othersShare };
  } catch (error) {
    return { ...about, failure: error instanceof Error ? error.message : String(error), othersShare };
  }
}

function profileFile(folder: string, scenario: Scenario, peer: Peer): string {
  mkdirSync(folder, { recursive: true });
  return join(folder, `${scenario.name}-${peer.name}.cpuprofile`);
}

function report(scenario: Scenario, sample: Sample): void {
  const values = Object.entries(sample.finding?.values ?? {}).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  const others = `others ${(100 * sample.othersShare).toFixed(0)} %`;
  const line = [scenario.name, sample.case, sample.peer, ...values, others].join("  ");
  process.stderr.write(`${line}${isExact(sample) ? "" : `  NOT EXACT: ${complaint(sample)}`}\n`);
}

async function main(): Promise<void> {
  const options = readOptions();
  prepareProcess();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
  const { rounds, scale, command } = options;
  const [machine, versions] = [describeMachine(), describeVersions()];
  const measured: Record<string, Result> = {};
  for (const scenario of options.scenarios) {
    const date = new Date().toISOString();
    const samples = await measure(scenario, options);
    measured[scenario.name] = { date, command, rounds, windowMs: scale.windowMs, machine, versions, samples };
    // After each, so that a run that is broken off has not been for nothing.
    if (options.write) {
      const results = { ...readResults(), ...measured };
      writeResults(results);
      writeReport(toMarkdown(SCENARIOS, results, scale), toSvg(SCENARIOS, results, scale));
    }
  }
  process.stdout.write(`${toMarkdown(options.scenarios, measured, scale)}\n`);
  if (!Object.values(measured).every(({ samples }) => samples.every(isExact))) process.exitCode = 1;
}

await main();
