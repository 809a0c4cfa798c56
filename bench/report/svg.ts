/** The picture: a panel for each chart, bars across the peers or lines across a growing number. */
import type { Peer } from "../peers.ts";
import type { Chart, Scale, Scenario } from "../scenarios/scenario.ts";
import { numeral, peersOf } from "./markdown.ts";
import { summaryOf, type Result, type Results } from "./results.ts";

const WIDTH = 860;
const LABEL_WIDTH = 350;
const BAR_WIDTH = 290;
const BAR_HEIGHT = 14;
const PANEL_GAP = 36;
const HEAD_HEIGHT = 44;
const PLOT_HEIGHT = 180;
const MARGIN = 24;
const PLOT_LEFT = 40;
const PLOT_WIDTH = WIDTH - 2 * MARGIN - 160;

/** Told apart by people who do not see red and green apart, too (Okabe and Ito). */
const COLOURS: Readonly<Record<string, string>> = {
  gateway: "#0072b2",
  "recipe-redis": "#d55e00",
  "recipe-memory": "#e69f00",
  "socket.io": "#009e73",
  ws: "#666666",
  bun: "#cc79a7",
};

interface Panel {
  readonly height: number;
  readonly body: string;
}

interface Series {
  readonly peer: Peer;
  /** Of each column or point, in order; undefined where there is no number. */
  readonly values: readonly (number | undefined)[];
}

export function toSvg(scenarios: readonly Scenario[], results: Results, scale: Scale): string {
  let top = MARGIN;
  const panels: string[] = [];
  for (const scenario of scenarios) {
    const result = results[scenario.name];
    for (const chart of result ? scenario.charts(scale) : []) {
      const panel = result && draw(chart, scenario, result);
      if (!panel) continue;
      panels.push(`<g transform="translate(${MARGIN} ${top})">${head(chart)}${panel.body}</g>`);
      top += panel.height + PANEL_GAP;
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" font-family="system-ui, sans-serif" font-size="13" fill="#1a1a1a">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

function draw(chart: Chart, scenario: Scenario, result: Result): Panel | undefined {
  const columns = chart.kind === "bars" ? chart.columns : chart.points.map(({ column }) => column);
  const series = peersOf(scenario).map((peer) => ({
    peer,
    values: columns.map((column) => summaryOf(result, peer.name, column.case, column.value)?.median),
  }));
  const most = Math.max(...series.flatMap(({ values }) => values.filter((value) => value !== undefined)));
  if (!Number.isFinite(most)) return undefined;
  return chart.kind === "bars" ? bars(chart, series, most) : lines(chart, series, most);
}

function head({ title, unit }: Chart): string {
  return text(0, 12, title, 'font-weight="600" font-size="15"') + text(0, 30, unit, 'fill="#555555"');
}

function bars(chart: Chart & { kind: "bars" }, series: readonly Series[], most: number): Panel {
  const rowHeight = chart.columns.length * (BAR_HEIGHT + 2) + 8;
  const body = series.flatMap(({ peer, values }, row) => {
    const top = HEAD_HEIGHT + row * rowHeight;
    const drawn = values.map((value, index) => {
      const digits = chart.columns[index]?.digits ?? 0;
      const heading = chart.columns.length > 1 ? `  ${chart.columns[index]?.heading.split(",", 1)[0] ?? ""}` : "";
      const width = ((value ?? 0) / most) * BAR_WIDTH;
      const y = top + index * (BAR_HEIGHT + 2);
      const colour = `fill="${COLOURS[peer.name] ?? "#000000"}" fill-opacity="${1 - index * 0.4}"`;
      const label = value === undefined ? "not exact, see the table" : numeral(value, digits) + heading;
      return (
        `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" ${colour}/>` +
        text(LABEL_WIDTH + width + 6, y + 11, label, 'font-size="11"')
      );
    });
    return [text(0, top + 11, peer.title, ""), ...drawn];
  });
  return { height: HEAD_HEIGHT + series.length * rowHeight, body: body.join("") };
}

function lines(chart: Chart & { kind: "lines" }, series: readonly Series[], most: number): Panel {
  const plot = plotOf(chart, most);
  const drawn = series.map(({ peer, values }, row) => {
    const places = chart.points.flatMap((point, index) => {
      const value = values[index];
      return value === undefined ? [] : [{ x: plot.x(point.x).toFixed(1), y: plot.y(value).toFixed(1) }];
    });
    const colour = COLOURS[peer.name] ?? "#000000";
    const path = places.map((place) => `${place.x},${place.y}`).join(" ");
    const dots = places.map((place) => `<circle cx="${place.x}" cy="${place.y}" r="3" fill="${colour}"/>`);
    const legend = text(PLOT_WIDTH + 20, HEAD_HEIGHT + 14 + row * 20, peer.title, `fill="${colour}" font-weight="600"`);
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join("")}${legend}`;
  });
  return { height: HEAD_HEIGHT + PLOT_HEIGHT + 40, body: axes(chart, plot, most) + drawn.join("") };
}

/** From numbers to places. */
interface Plot {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

function plotOf({ points }: Chart & { kind: "lines" }, most: number): Plot {
  const farthest = Math.max(...points.map(({ x }) => x));
  return {
    x: (value) => PLOT_LEFT + (value / farthest) * (PLOT_WIDTH - PLOT_LEFT),
    y: (value) => HEAD_HEIGHT + PLOT_HEIGHT * (1 - value / most),
  };
}

function axes({ points, across }: Chart & { kind: "lines" }, { x, y }: Plot, most: number): string {
  const bottom = y(0);
  const small = 'font-size="11"';
  return [
    `<path d="M${PLOT_LEFT} ${y(most)}V${bottom}H${PLOT_WIDTH}" fill="none" stroke="#999999"/>`,
    text(PLOT_LEFT - 4, y(most) + 4, numeral(most, 0), `text-anchor="end" ${small}`),
    text(PLOT_LEFT - 4, bottom + 4, "0", `text-anchor="end" ${small}`),
    ...points.map((point) => text(x(point.x), bottom + 16, numeral(point.x, 0), `text-anchor="middle" ${small}`)),
    text(PLOT_WIDTH, bottom + 34, across, 'text-anchor="end" fill="#555555"'),
  ].join("");
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped}</text>`;
}
