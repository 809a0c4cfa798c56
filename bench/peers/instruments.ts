/**
 * Loaded before a Node.js server that is measured. It looks at the process from inside, when the benchmark asks for it over the channel
 * that Node.js gives to a child process.
 */
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { constants, monitorEventLoopDelay, PerformanceObserver, type PerformanceEntry } from "node:perf_hooks";
import process from "node:process";
import { setFlagsFromString, writeHeapSnapshot } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Answer, Observation, Request } from "./support/requests.ts";

const PROFILING_INTERVAL_US = 1000;
/** A timer runs so often, and its lateness is the delay: also how exact that is. */
const DELAY_RESOLUTION_MS = 2;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options: object) => void;
const session = new Session();
session.connect();

class Observed {
  readonly #delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  readonly #observer = new PerformanceObserver((list) => this.#add(list.getEntries()));
  readonly #minor = { count: 0, ms: 0 };
  readonly #major = { count: 0, ms: 0 };

  constructor() {
    this.#observer.observe({ entryTypes: ["gc"] });
    this.#delay.enable();
  }

  end(): Observation {
    this.#add(this.#observer.takeRecords());
    this.#observer.disconnect();
    this.#delay.disable();
    return {
      minor: this.#minor,
      major: this.#major,
      delayMs: {
        p99: lateMs(this.#delay.percentile(99)),
        p999: lateMs(this.#delay.percentile(99.9)),
        max: lateMs(this.#delay.max),
      },
    };
  }

  #add(entries: readonly PerformanceEntry[]): void {
    for (const entry of entries) {
      const { kind } = (entry as CollectionEntry).detail;
      if (kind === constants.NODE_PERFORMANCE_GC_MINOR) this.#minor.count++;
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) this.#major.count++;
      // The steps of incremental marking are part of a major collection.
      (kind === constants.NODE_PERFORMANCE_GC_MINOR ? this.#minor : this.#major).ms += entry.duration;
    }
  }
}

function lateMs(ns: number): number {
  return Math.max(0, ns / 1e6 - DELAY_RESOLUTION_MS);
}

/** The types of Node.js leave the detail out. */
interface CollectionEntry extends PerformanceEntry {
  readonly detail: { readonly kind: number };
}

let observed: Observed | undefined;

async function answer(request: Request): Promise<Answer> {
  switch (request.type) {
    case "collect":
      // Of V8's ways the one that also gives back the pages that are empty then.
      collect({ type: "major", execution: "sync", flavor: "last-resort" });
      break;
    case "observe":
      observed = new Observed();
      break;
    case "observed":
      return observed ? { observation: observed.end() } : {};
    case "profile":
      await session.post("Profiler.enable");
      await session.post("Profiler.setSamplingInterval", { interval: PROFILING_INTERVAL_US });
      await session.post("Profiler.start");
      break;
    case "profiled":
      writeFileSync(request.file, JSON.stringify((await session.post("Profiler.stop")).profile));
      break;
    case "heap":
      collect({ type: "major", execution: "sync", flavor: "last-resort" });
      return { heapBytes: process.memoryUsage().heapUsed };
    case "snapshot":
      writeHeapSnapshot(request.file);
      break;
  }
  return {};
}

process.on("message", (request: Request) => {
  void answer(request).then((answered) => process.send?.(answered));
});
