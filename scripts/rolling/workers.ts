/** The processes that the clients are in. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Received, Said } from "../../tests/support/verdict.ts";
import { ask } from "../children.ts";
import type { Member, Order, Report } from "./protocol.ts";

const WORKER = fileURLToPath(import.meta.resolve("./worker.ts"));

export interface WorkersOptions {
  readonly count: number;
  readonly wsUrl: string;
  readonly members: readonly Member[];
  /** Messages a second, of all together. */
  readonly rate: number;
  readonly seed: number;
}

export interface Result {
  readonly said: readonly Said[];
  readonly received: readonly Received[];
  readonly refused: number;
  readonly reconnects: number;
}

export class Workers implements Disposable {
  readonly #children: readonly ChildProcess[];

  constructor(count: number) {
    this.#children = Array.from({ length: count }, () => fork(WORKER, { serialization: "advanced" }));
  }

  /** Resolves when every client listens. */
  static async start({ count, members, rate, seed, wsUrl }: WorkersOptions): Promise<Workers> {
    const workers = new Workers(count);
    await workers.#order((index) => ({
      type: "start",
      wsUrl,
      members: members.filter((_, nth) => nth % count === index),
      rate: rate / count,
      seed: seed + index,
    }));
    return workers;
  }

  /** Nobody sends any more. Resolves when everybody has received everything, or has not in time. */
  async finish(patienceMs: number): Promise<Result> {
    const sent = (await this.#order(() => ({ type: "stop" }))).filter((report) => report.type === "sent");
    const said = sent.flatMap((report) => report.said);
    const answers = await this.#order(() => ({ type: "collect", said, patienceMs }));
    const collected = answers.filter((report) => report.type === "collected");
    return {
      said,
      received: collected.flatMap(({ received }) => received),
      refused: sent.reduce((sum, { refused }) => sum + refused, 0),
      reconnects: collected.reduce((sum, { reconnects }) => sum + reconnects, 0),
    };
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  async #order(orderOf: (index: number) => Order): Promise<readonly Report[]> {
    return Promise.all(this.#children.map(async (child, index) => ask<Report>(child, orderOf(index))));
  }
}
