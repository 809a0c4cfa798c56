/** All peers side by side: in a round every one has its turn. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import type { Options } from "./options.ts";
import { openStage, type Peer } from "./peers.ts";
import { coreBusyMs, SERVER_CORE } from "./processes.ts";
import { peersOf } from "./report/markdown.ts";
import { profileTable } from "./report/profile.ts";
import { complaint, isExact, type Sample } from "./report/results.ts";
import type { Case, Scenario } from "./scenarios/scenario.ts";

/** All rounds of one scenario. In a round every peer has its turn at each case; who begins changes with the round. */
export async function measure(scenario: Scenario, options: Options, firstRound: number): Promise<Sample[]> {
  const { scale, rounds, peer: only } = options;
  const peers = peersOf(scenario).filter(({ name }) => only === undefined || name === only);
  const samples: Sample[] = [];
  for (let round = firstRound; round < firstRound + rounds; round++) {
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
  { name, world, instances }: Case,
  peer: Peer,
  round: number,
  { scale, profile: folder }: Options,
): Promise<Sample> {
  const about = { case: name, peer: peer.name, round };
  // Bun is no Node.js.
  const profile = folder === undefined || peer.name === "bun" ? undefined : profileFile(folder, scenario, peer);
  let othersShare = 0;
  try {
    await using stage = await openStage(peer, { world, persist: scenario.persist, profile, instances });
    using prepared = await scenario.prepare(stage, scale);
    const others = (): number => coreBusyMs(SERVER_CORE) - stage.cpuMs();
    const [startedAt, before] = [performance.now(), others()];
    const finding = await prepared.measure();
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
