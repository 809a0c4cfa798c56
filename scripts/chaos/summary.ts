/** What a run has come to. */
import process from "node:process";
import type { Verdict } from "../../tests/support/verdict.ts";
import type { People } from "./people.ts";

export interface RunOptions {
  readonly seed: number;
  readonly isStarved: boolean;
}

export class Summary {
  readonly #options: RunOptions;
  readonly #faults = new Map<string, number>();
  /** Of this round. */
  #befallen: string[] = [];
  readonly #violations: string[] = [];
  #rounds = 0;
  #messages = 0;
  #reconnects = 0;
  #refusals = 0;
  #slowestMs = 0;
  readonly #total = { received: 0, lost: 0, doubled: 0, repeated: 0, disordered: 0, ended: 0 };

  constructor(options: RunOptions) {
    this.#options = options;
  }

  get isClean(): boolean {
    return this.#violations.length === 0;
  }

  note(fault: string): void {
    this.#befallen.push(fault);
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
  }

  complain(violation: string): void {
    this.#violations.push(violation);
    process.stderr.write(`VIOLATION: ${violation}\n`);
  }

  /** The end of a round. @param complaints what is wrong beside the delivery. */
  judge({ history, listeners, refusals }: People, verdict: Verdict, complaints: readonly string[]): void {
    this.#rounds++;
    this.#messages += history.said.length;
    this.#reconnects += listeners.reduce((sum, { connections }) => sum + connections - 1, 0);
    this.#refusals += refusals;
    this.#slowestMs = history.said.reduce((slowest, { from, to }) => Math.max(slowest, to - from), this.#slowestMs);
    for (const name of ["received", "lost", "doubled", "repeated", "disordered", "ended"] as const) {
      this.#total[name] += verdict[name];
    }
    process.stderr.write(`round ${this.#rounds}: ${history.said.length} messages; ${this.#befallen.join(", ")}\n`);
    for (const violation of [...verdict.faults, ...complaints]) this.complain(`round ${this.#rounds}: ${violation}`);
    this.#befallen = [];
  }

  get text(): string {
    const { received, lost, doubled, repeated, disordered, ended } = this.#total;
    const faults = [...this.#faults].toSorted(([a], [b]) => a.localeCompare(b));
    return [
      `seed ${this.#options.seed}${this.#options.isStarved ? ", starved" : ""}, ${this.#rounds} rounds`,
      ...faults.map(([name, count]) => `  ${String(count).padStart(4)} × ${name}`),
      `${this.#messages} messages answered, the slowest after ${(this.#slowestMs / 1000).toFixed(1)} s; ${this.#refusals} attempts refused`,
      `${received} deliveries to listeners that lost their connection ${this.#reconnects} times;`,
      `${repeated} of them came once more after that, as they may`,
      `${lost} lost, ${doubled} doubled, ${disordered} orders that differ, ${ended} subscriptions ended`,
      "order compared between any two listeners of a chat, whole, without exception;",
      "not tried: an instance that dies before it has told a Redis that lost its memory again what it had",
      this.isClean ? "presence right" : `${this.#violations.length} VIOLATIONS`,
      ...this.#violations.map((violation) => `  ${violation}`),
      this.#row,
    ].join("\n");
  }

  /** Of the table in docs/DELIVERY.md. */
  get #row(): string {
    const { received, lost, doubled, repeated, disordered } = this.#total;
    const faults = [...this.#faults.values()].reduce((sum, count) => sum + count, 0);
    const cells = [
      this.#options.seed,
      this.#options.isStarved ? "yes" : "no",
      faults,
      this.#messages,
      received,
      repeated,
      ...[lost, doubled, disordered].map((count) => (count === 0 ? "0" : `**${count}**`)),
    ];
    return `| ${cells.join(" | ")} |`;
  }
}
