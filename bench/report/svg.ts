/** The picture: a panel for each chart, bars across the peers or lines across a growing number. */
import type { Peer } from "../peers.ts";
import type { Chart, Scale, Scenario } from "../scenarios/scenario.ts";
import { peersOf } from "./markdown.ts";
import { numeral } from "./numeral.ts";
import { bars, lines, picture, type Panel } from "./panels.ts";
import { summaryOf, type Result, type Results } from "./results.ts";

/** Told apart by people who do not see red and green apart, too (Okabe and Ito). */
const COLOURS: Readonly<Record<string, string>> = {
  gateway: "#0072b2",
  "recipe-redis": "#d55e00",
  "recipe-memory": "#e69f00",
  "socket.io": "#009e73",
  ws: "#666666",
  bun: "#cc79a7",
};

interface Series {
  readonly peer: Peer;
  readonly colour: string;
  /** Of each column or point, in order; undefined where there is no number. */
  readonly values: readonly (number | undefined)[];
}

export function toSvg(scenarios: readonly Scenario[], results: Results, scale: Scale): string {
  const panels = scenarios.flatMap((scenario) => {
    const result = results[scenario.name];
    return result ? scenario.charts(scale).map((chart) => draw(chart, scenario, result)) : [];
  });
  return picture(panels.filter((panel) => panel !== undefined));
}

function draw(chart: Chart, scenario: Scenario, result: Result): Panel | undefined {
  const columns = chart.kind === "bars" ? chart.columns : chart.points.map(({ column }) => column);
  const series = peersOf(scenario).map((peer) => ({
    peer,
    colour: COLOURS[peer.name] ?? "#000000",
    values: columns.map((column) => summaryOf(result, peer.name, column.case, column.value)?.median),
  }));
  const most = Math.max(...series.flatMap(({ values }) => values.filter((value) => value !== undefined)));
  if (!Number.isFinite(most)) return undefined;
  return chart.kind === "bars" ? barsOf(chart, series, most) : linesOf(chart, series, most);
}

function barsOf(chart: Chart & { kind: "bars" }, series: readonly Series[], most: number): Panel {
  const groups = series.map(({ peer, colour, values }) => ({
    title: peer.title,
    colour,
    bars: values.map((value, index) => {
      const { digits = 0, heading = "" } = chart.columns[index] ?? {};
      const name = chart.columns.length > 1 ? `  ${heading.split(",", 1)[0] ?? ""}` : "";
      return { value, label: value === undefined ? "not exact, see the table" : numeral(value, digits) + name };
    }),
  }));
  return bars(chart, groups, most);
}

function linesOf(chart: Chart & { kind: "lines" }, series: readonly Series[], most: number): Panel {
  const drawn = series.map(({ peer, colour, values }) => ({
    title: peer.title,
    colour,
    points: chart.points.flatMap(({ x }, index) => {
      const y = values[index];
      return y === undefined ? [] : [{ x, y }];
    }),
  }));
  return lines({ ...chart, ticks: chart.points.map(({ x }) => x) }, drawn, most);
}
