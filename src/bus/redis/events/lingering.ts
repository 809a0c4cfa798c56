/** What nobody listens to stays subscribed for a while: a page that is reloaded is back by then. */
import { Backlog } from "../../../backlog.ts";

const LINGER_MS = 5000;

export class Lingering<Item> {
  readonly #leave: (item: Item) => void;
  /** By when each is left: the first has been here for longest. */
  readonly #items = new Map<Item, number>();
  readonly #left = new Backlog();
  /** One timer for all: those of one connection may be thousands. */
  #timer: NodeJS.Timeout | undefined;

  /** @param leave is called when the time of an item is over, of many in slices. It may add the item again, and may not throw. */
  constructor(leave: (item: Item) => void) {
    this.#leave = leave;
  }

  /** Nobody listens to it from now on. */
  add(item: Item): void {
    this.#items.delete(item);
    this.#items.set(item, performance.now() + LINGER_MS);
    this.#await();
  }

  /** Somebody does again. */
  delete(item: Item): void {
    this.#items.delete(item);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#items.clear();
  }

  #await(): void {
    const [first] = this.#items.values();
    if (first === undefined || this.#timer) return;
    const leave = (): void => this.#left.add(this.#due(), this.#leave);
    this.#timer = setTimeout(leave, Math.max(1, Math.ceil(first - performance.now()))).unref();
  }

  *#due(): Generator<Item, void, void> {
    for (const [item, dueMs] of this.#items) {
      if (dueMs > performance.now()) break;
      this.#items.delete(item);
      yield item;
    }
    this.#timer = undefined;
    this.#await();
  }
}
