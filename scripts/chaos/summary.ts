/** What a run has come to. */
import process from "node:process";
import type { People } from "./people.ts";

export class Summary {
  readonly #seed: number;
  readonly #faults = new Map<string, number>();
  /** Of this round. */
  #befallen: string[] = [];
  readonly #violations: string[] = [];
  #rounds = 0;
  #messages = 0;
  #deliveries = 0;
  #repeated = 0;
  #reconnects = 0;
  #slowestMs = 0;

  constructor(seed: number) {
    this.#seed = seed;
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

  /** The end of a round. */
  judge({ history, listeners }: People, verdict: readonly string[]): void {
    this.#rounds++;
    this.#messages += history.said.length;
    this.#deliveries += listeners.reduce((sum, { heard }) => sum + heard.length, 0);
    this.#reconnects += listeners.reduce((sum, { connections }) => sum + connections - 1, 0);
    this.#repeated += history.repeated;
    this.#slowestMs = Math.max(this.#slowestMs, ...history.said.map(({ from, to }) => to - from));
    process.stderr.write(`round ${this.#rounds}: ${history.said.length} messages; ${this.#befallen.join(", ")}\n`);
    for (const violation of verdict) this.complain(`round ${this.#rounds}: ${violation}`);
    this.#befallen = [];
  }

  get text(): string {
    const faults = [...this.#faults].toSorted(([a], [b]) => a.localeCompare(b));
    return [
      `seed ${this.#seed}, ${this.#rounds} rounds`,
      ...faults.map(([name, count]) => `  ${String(count).padStart(4)} × ${name}`),
      `${this.#messages} messages answered, the slowest after ${(this.#slowestMs / 1000).toFixed(1)} s`,
      `${this.#deliveries} deliveries to listeners that lost their connection ${this.#reconnects} times;`,
      `${this.#repeated} of them came once more after that, as they may`,
      this.isClean ? "0 lost, 0 twice, 0 out of order, presence right" : `${this.#violations.length} VIOLATIONS`,
      ...this.#violations.map((violation) => `  ${violation}`),
    ].join("\n");
  }
}
