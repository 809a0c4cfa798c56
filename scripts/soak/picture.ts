/** What a run has measured, as a picture: a panel for each quantity, a line for each bus. */
import { lines, picture, type Panel } from "../../bench/report/panels.ts";
import type { BusName, Holding, Quantity } from "./held.ts";

export interface Sample {
  /** Since the warm level was taken. */
  readonly seconds: number;
  readonly held: Holding;
}

/** What one run has measured: the first sample is the warm level, the last one is taken when everybody has left. */
export interface Course {
  readonly bus: BusName;
  readonly samples: readonly Sample[];
}

const MEBIBYTE = 1_048_576;

const PANELS: readonly { readonly quantity: Quantity; readonly title: string; readonly unit: string }[] = [
  { quantity: "heapBytes", title: "Heap after a garbage collection", unit: "MiB" },
  { quantity: "residentBytes", title: "Resident memory", unit: "MiB" },
  { quantity: "handles", title: "Handles: sockets, timers, requests", unit: "handles" },
  { quantity: "mapEntries", title: "Entries of all maps and sets", unit: "entries" },
  { quantity: "redisKeys", title: "Keys of Redis", unit: "keys" },
  { quantity: "redisBytes", title: "Memory of Redis", unit: "MiB" },
];

/** Told apart by people who do not see red and green apart, too. */
const COLOURS: Readonly<Record<BusName, string>> = { memory: "#0072b2", redis: "#d55e00" };

const TITLES: Readonly<Record<BusName, string>> = { memory: "in memory", redis: "on Redis" };

const TICKS = 6;

export function soakPicture(courses: readonly Course[]): string {
  const farthest = Math.max(...courses.flatMap(({ samples }) => samples.map(({ seconds }) => seconds)));
  const ticks = Array.from({ length: TICKS + 1 }, (_, n) => (n * farthest) / TICKS);
  return picture(PANELS.flatMap((panel) => panelOf(panel, courses, ticks)));
}

function panelOf(
  { quantity, title, unit }: (typeof PANELS)[number],
  courses: readonly Course[],
  ticks: readonly number[],
): readonly Panel[] {
  const divisor = unit === "MiB" ? MEBIBYTE : 1;
  const drawn = courses.flatMap(({ bus, samples }) => {
    const points = samples.flatMap(({ seconds, held }) => {
      const value = held[quantity];
      return value === undefined ? [] : [{ x: seconds, y: value / divisor }];
    });
    return points.length === 0 ? [] : [{ title: TITLES[bus], colour: COLOURS[bus], points }];
  });
  if (drawn.length === 0) return [];
  const most = Math.max(1, ...drawn.flatMap(({ points }) => points.map(({ y }) => y)));
  return [lines({ title, unit, across: "seconds since the warm level", ticks }, drawn, most)];
}
