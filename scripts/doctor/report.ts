/** What the checks find, and how it is shown. */

/** One thing that is wrong: what it is, and what to change, with the reason why the gateway needs it. */
export interface Problem {
  readonly what: string;
  readonly advice: string;
}

/** For programs: what {@link Report.toString} says for people. */
export interface ReportJson {
  readonly passed: boolean;
  readonly right: number;
  readonly wrong: number;
  readonly unchecked: number;
  readonly verdicts: readonly {
    readonly verdict: "right" | "wrong" | "unchecked";
    readonly endpoint: string;
    readonly what: string;
    readonly advice?: string;
  }[];
  /** What was changed in the API's data. */
  readonly written: readonly string[];
}

const VERDICTS = { "✓": "right", "✗": "wrong", "–": "unchecked" } as const;

interface Verdict {
  readonly mark: "✓" | "✗" | "–";
  readonly endpoint: string;
  readonly what: string;
  readonly advice?: string;
}

/** Collects verdicts in the order in which they are reached. */
export class Report {
  readonly #verdicts: Verdict[] = [];
  readonly #written: string[] = [];

  right(endpoint: string, what: string): void {
    this.#verdicts.push({ mark: "✓", endpoint, what });
  }

  wrong(endpoint: string, { what, advice }: Problem): void {
    this.#verdicts.push({ mark: "✗", endpoint, what, advice });
  }

  /** @param why completes "not checked: …". */
  unchecked(endpoint: string, why: string): void {
    this.#verdicts.push({ mark: "–", endpoint, what: `not checked: ${why}` });
  }

  /** All the problems; `what` is right where there are none. */
  check(endpoint: string, what: string, problems: readonly Problem[]): void {
    for (const problem of problems) this.wrong(endpoint, problem);
    if (problems.length === 0) this.right(endpoint, what);
  }

  /** Something that the checks have changed in the API's data. */
  wrote(what: string): void {
    this.#written.push(what);
  }

  get passed(): boolean {
    return this.#count("✗") === 0;
  }

  /** Plain text, a line a verdict, under each ✗ another one with the advice. */
  toString(): string {
    const verdicts = this.#verdicts.flatMap(({ mark, endpoint, what, advice }) => [
      `${mark} ${endpoint}: ${harmless(what)}`,
      ...(advice === undefined ? [] : [`    ${harmless(advice)}`]),
    ]);
    const written = this.#written.length === 0 ? ["nothing"] : this.#written.map(harmless);
    const summary = `${this.#count("✓")} right, ${this.#count("✗")} wrong, ${this.#count("–")} not checked.`;
    return [...verdicts, "", `Written: ${written.join("; ")}.`, summary].join("\n");
  }

  toJSON(): ReportJson {
    return {
      passed: this.passed,
      right: this.#count("✓"),
      wrong: this.#count("✗"),
      unchecked: this.#count("–"),
      verdicts: this.#verdicts.map(({ mark, ...verdict }) => ({ verdict: VERDICTS[mark], ...verdict })),
      written: this.#written,
    };
  }

  #count(mark: Verdict["mark"]): number {
    return this.#verdicts.filter((verdict) => verdict.mark === mark).length;
  }
}

/** What an answer said may stand in a line, and no terminal obeys it. */
function harmless(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ");
}

/** `1 page`, `2 pages`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
