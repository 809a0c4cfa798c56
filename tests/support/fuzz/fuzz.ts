/** Attacks a gateway with what fast-check comes to. What did harm is made as small as it can be. */
import * as fc from "fast-check";
import { converse, type Target } from "./attacker.ts";
import type { Known } from "./documents.ts";
import { Harm } from "./harm.ts";
import { conversations, requests, type Conversation, type HostileRequest } from "./inputs.ts";
import { request } from "./requester.ts";

interface FuzzOptions {
  readonly target: Target;
  readonly known: Known;
  /** Inputs of one connection at most; a quarter of them at least. */
  readonly maxInputs: number;
  /** Connections that are open at the same time. */
  readonly atOnce: number;
  /** How long the smallest input is looked for. */
  readonly shrinkingMs: number;
  /** What the gateway has logged as a defect so far. */
  readonly defects: readonly string[];
}

/** Requests beside each connection. */
const REQUESTS = 6;

export class Fuzz {
  /** Frames that the gateway has read, and requests that it has answered. */
  inputs = 0;
  connections = 0;
  /** Connections by the code with which the gateway closed them. */
  readonly closes = new Map<number | "none", number>();
  readonly #options: FuzzOptions;
  readonly #conversations: fc.Arbitrary<Conversation>;
  readonly #requests: fc.Arbitrary<HostileRequest>;

  constructor(options: FuzzOptions) {
    const { target, known, maxInputs } = options;
    this.#options = options;
    this.#conversations = conversations(known, target.isCompressed, maxInputs);
    this.#requests = requests(known);
  }

  /**
   * Makes `connections` connections, each from a seed of its own: the first from `seed`, the next from the following numbers.
   *
   * @throws Harm with the smallest input that did it.
   */
  async run(seed: number, connections: number): Promise<void> {
    const before = this.#options.defects.length;
    const seeds = Array.from({ length: connections }, (_, index) => seed + index);
    const harms: { readonly seed: number; readonly harm: Harm }[] = [];
    const waiting = seeds.values();
    const work = async (): Promise<void> => {
      for (const own of waiting) {
        if (harms.length > 0) return;
        try {
          await this.#attack(own);
        } catch (error) {
          if (!(error instanceof Harm)) throw error;
          harms.push({ seed: own, harm: error });
        }
      }
    };
    await Promise.all(Array.from({ length: this.#options.atOnce }, work));
    const [first] = harms;
    if (first) throw await this.#smallest(first.seed, first.harm);
    if (this.#options.defects.length > before) await this.#findDefect(seeds, before);
  }

  async #attack(seed: number): Promise<void> {
    const { target } = this.#options;
    const [conversation] = fc.sample(this.#conversations, { seed, numRuns: 1 });
    if (!conversation) return;
    const { inputs, closeCode = "none" } = await converse(target, conversation);
    this.inputs += inputs;
    this.connections++;
    this.closes.set(closeCode, (this.closes.get(closeCode) ?? 0) + 1);
    for (const one of fc.sample(this.#requests, { seed, numRuns: REQUESTS })) {
      await request(target, one);
      this.inputs++;
    }
  }

  /** Those that were under way together are repeated one by one. */
  async #findDefect(seeds: readonly number[], before: number): Promise<never> {
    const { defects } = this.#options;
    const harm = new Harm(`the gateway logged ${defects.slice(before).join("")}`);
    for (const seed of seeds) {
      const known = defects.length;
      await this.#attack(seed);
      if (defects.length > known) throw await this.#smallest(seed, harm);
    }
    throw new Harm(`${harm.message}\nby connections together, from seed ${seeds[0]}`);
  }

  /** The harm, with the smallest input that does it alone. */
  async #smallest(seed: number, harm: Harm): Promise<Harm> {
    const { target, defects, shrinkingMs } = this.#options;
    const limits = { seed, interruptAfterTimeLimit: shrinkingMs };
    const alone = async (attack: () => Promise<unknown>): Promise<void> => {
      const known = defects.length;
      await attack();
      if (defects.length > known) throw new Harm(`the gateway logged ${defects.slice(known).join("")}`);
    };
    const onSocket = await fc.check(
      fc.asyncProperty(this.#conversations, (conversation) => alone(() => converse(target, conversation))),
      { ...limits, numRuns: 1 },
    );
    const [conversation] = onSocket.counterexample ?? [];
    if (conversation) return new Harm(`${harm.message}\nfrom seed ${seed}: ${told(conversation)}`);
    const overHttp = await fc.check(
      fc.asyncProperty(this.#requests, (one) => alone(() => request(target, one))),
      { ...limits, numRuns: REQUESTS },
    );
    const [smallest] = overHttp.counterexample ?? [];
    const what = smallest ? JSON.stringify(smallest) : "it does not happen when its connection is alone";
    return new Harm(`${harm.message}\nfrom seed ${seed}: ${what}`);
  }
}

function told({ inputs, last, ...others }: Conversation): string {
  const frames = [...inputs.map(({ frame }) => frame), ...(last ? [last] : [])];
  const lines = frames.map((frame) => JSON.stringify(frame.toString("latin1").slice(0, 2000)));
  return [JSON.stringify(others), ...lines].join("\n");
}
