/** Panels of a picture: bars, or lines across a growing number, from numbers alone. */
import { numeral } from "./numeral.ts";

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

export interface Panel {
  readonly height: number;
  readonly body: string;
}

interface Head {
  readonly title: string;
  readonly unit: string;
}

/** A group of bars: one for each value. */
export interface BarGroup {
  readonly title: string;
  readonly colour: string;
  readonly bars: readonly { readonly value: number | undefined; readonly label: string }[];
}

export interface Line {
  readonly title: string;
  readonly colour: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface LinesPanel extends Head {
  /** What the horizontal axis shows. */
  readonly across: string;
  /** Numbers that are written below it. The greatest of them ends it. */
  readonly ticks: readonly number[];
}

/** Below one another. */
export function picture(panels: readonly Panel[]): string {
  let top = MARGIN;
  const placed = panels.map((panel) => {
    const group = `<g transform="translate(${MARGIN} ${top})">${panel.body}</g>`;
    top += panel.height + PANEL_GAP;
    return group;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" font-family="system-ui, sans-serif" font-size="13" fill="#1a1a1a">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...placed,
    "</svg>\n",
  ].join("\n");
}

/** @param most the value of the longest bar. */
export function bars(heading: Head, groups: readonly BarGroup[], most: number): Panel {
  const rowHeight = Math.max(...groups.map((group) => group.bars.length)) * (BAR_HEIGHT + 2) + 8;
  const body = groups.flatMap(({ title, colour, bars: own }, row) => {
    const top = HEAD_HEIGHT + row * rowHeight;
    const drawn = own.map(({ value, label }, index) => {
      const width = ((value ?? 0) / most) * BAR_WIDTH;
      const y = top + index * (BAR_HEIGHT + 2);
      const fill = `fill="${colour}" fill-opacity="${1 - index * 0.4}"`;
      return (
        `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" ${fill}/>` +
        text(LABEL_WIDTH + width + 6, y + 11, label, 'font-size="11"')
      );
    });
    return [text(0, top + 11, title, ""), ...drawn];
  });
  return { height: HEAD_HEIGHT + groups.length * rowHeight, body: head(heading) + body.join("") };
}

/** @param most the value at the top of the vertical axis, which begins at 0. */
export function lines(panel: LinesPanel, drawn: readonly Line[], most: number): Panel {
  const plot = plotOf(panel, most);
  const body = drawn.map(({ title, colour, points }, row) => {
    const places = points.map(({ x, y }) => ({ x: plot.x(x).toFixed(1), y: plot.y(y).toFixed(1) }));
    const path = places.map((place) => `${place.x},${place.y}`).join(" ");
    const dots = places.map((place) => `<circle cx="${place.x}" cy="${place.y}" r="3" fill="${colour}"/>`);
    const legend = text(PLOT_WIDTH + 20, HEAD_HEIGHT + 14 + row * 20, title, `fill="${colour}" font-weight="600"`);
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join("")}${legend}`;
  });
  return { height: HEAD_HEIGHT + PLOT_HEIGHT + 40, body: head(panel) + axes(panel, plot, most) + body.join("") };
}

function head({ title, unit }: Head): string {
  return text(0, 12, title, 'font-weight="600" font-size="15"') + text(0, 30, unit, 'fill="#555555"');
}

/** From numbers to places. */
interface Plot {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

function plotOf({ ticks }: LinesPanel, most: number): Plot {
  const farthest = Math.max(...ticks);
  return {
    x: (value) => PLOT_LEFT + (value / farthest) * (PLOT_WIDTH - PLOT_LEFT),
    y: (value) => HEAD_HEIGHT + PLOT_HEIGHT * (1 - value / most),
  };
}

function axes({ ticks, across }: LinesPanel, { x, y }: Plot, most: number): string {
  const bottom = y(0);
  const small = 'font-size="11"';
  return [
    `<path d="M${PLOT_LEFT} ${y(most)}V${bottom}H${PLOT_WIDTH}" fill="none" stroke="#999999"/>`,
    text(PLOT_LEFT - 4, y(most) + 4, numeral(most, 0), `text-anchor="end" ${small}`),
    text(PLOT_LEFT - 4, bottom + 4, "0", `text-anchor="end" ${small}`),
    ...ticks.map((tick) => text(x(tick), bottom + 16, numeral(tick, 0), `text-anchor="middle" ${small}`)),
    text(PLOT_WIDTH, bottom + 34, across, 'text-anchor="end" fill="#555555"'),
  ].join("");
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped}</text>`;
}
