/** Everything that a subscription has brought, in order, for a test to wait for and to count. */
import { EventEmitter, once } from "node:events";

export class Transcript {
  /** A word for each event. */
  readonly all: string[] = [];
  /** Set when nothing more comes. */
  ended: { readonly error: unknown } | undefined;
  readonly #changes = new EventEmitter().setMaxListeners(0);

  /** Writes down a subscription until it ends. */
  static of<Data>(results: { next(): Promise<Data> }, wordOf: (data: Data) => string): Transcript {
    const transcript = new Transcript();
    const follow = async (): Promise<void> => {
      for (;;) transcript.add(wordOf(await results.next()));
    };
    follow().catch((error: unknown) => transcript.end(error));
    return transcript;
  }

  add(word: string): void {
    this.all.push(word);
    this.#changes.emit("change");
  }

  end(error: unknown): void {
    this.ended ??= { error };
    this.#changes.emit("change");
  }

  /** Resolves when all of these are there. Rejects where the subscription ends before. */
  async has(...words: readonly string[]): Promise<void> {
    while (!words.every((word) => this.all.includes(word))) {
      if (this.ended) throw new Error(`ended without ${words.join(", ")}`, { cause: this.ended.error });
      await once(this.#changes, "change");
    }
  }

  /** Resolves when so many different ones are there. Rejects where the subscription ends before. */
  async count(count: number): Promise<void> {
    while (this.distinct.length < count) {
      if (this.ended) throw new Error(`ended after ${this.all.length}`, { cause: this.ended.error });
      await once(this.#changes, "change");
    }
  }

  /** Resolves to what the subscription ended with. */
  async over(): Promise<unknown> {
    while (!this.ended) await once(this.#changes, "change");
    return this.ended.error;
  }

  /** Each word once, where it came first. */
  get distinct(): readonly string[] {
    return [...new Set(this.all)];
  }

  /** What came more than once, so often as it came again. */
  get repeats(): readonly string[] {
    const seen = new Set<string>();
    return this.all.filter((word) => seen.size === seen.add(word).size);
  }
}

/** The words "a1" to "a…". */
export function numbered(prefix: string, from: number, to: number): readonly string[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => `${prefix}${from + index}`);
}
