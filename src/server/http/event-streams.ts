/** The event streams of this instance, which a stopping gateway ends one after the other. */
import type { Results } from "../../graphql/result-stream.ts";

export class EventStreams {
  readonly #open = new Set<Results>();
  #isDraining = false;

  /** Whether they end since the gateway does. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  add(results: Results): void {
    this.#open.add(results);
  }

  delete(results: Results): void {
    this.#open.delete(results);
  }

  /** Ends each without `complete`, spread over `windowMs`, so that clients do not come back all at once. Resolves when that is done. */
  async drain(windowMs: number): Promise<void> {
    this.#isDraining = true;
    const streams = [...this.#open];
    const stepMs = windowMs / streams.length;
    await Promise.all(
      streams.map(async (results, index) => {
        if (index > 0) await new Promise((resolve) => setTimeout(resolve, index * stepMs));
        await results.return();
      }),
    );
  }
}
