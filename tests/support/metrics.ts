/** What an admin listener's /metrics says. */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Scrape {
  readonly text: string;
  readonly contentType: string;
  /** By name, without `_bucket`, `_sum` and `_count`. */
  readonly families: ReadonlyMap<string, string>;
  readonly series: readonly Series[];
  /** The sum of the series of that name that have these labels; undefined where there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

export async function scrape(adminUrl: string, headers: Readonly<Record<string, string>> = {}): Promise<Scrape> {
  const response = await fetch(new URL("/metrics", adminUrl), { headers });
  if (response.status !== 200) throw new Error(`/metrics answers ${response.status}`);
  const text = await response.text();
  const lines = text.split("\n");
  const families = new Map(
    lines.flatMap((line) => {
      const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      return name === undefined || type === undefined ? [] : [[name, type] as const];
    }),
  );
  const series = lines.filter((line) => line !== "" && !line.startsWith("#")).map(toSeries);
  return {
    text,
    contentType: response.headers.get("content-type") ?? "",
    families,
    series,
    value(name, labels = {}) {
      const found = series.filter(
        (one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
      );
      return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
    },
  };
}

function toSeries(line: string): Series {
  const [, name = "", labels = "", value = ""] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === "") throw new Error(`no series: ${line}`);
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = "", text = ""]) => [key, text]);
  return { name, labels: Object.fromEntries(pairs), value: Number(value) };
}
