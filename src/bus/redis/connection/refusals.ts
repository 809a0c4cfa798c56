/** What Redis, though it is connected, refuses, and why. */
import { reasonOf } from "./outage.ts";

/** What Redis can refuse. */
export type Refused = "event" | "subscription" | "tick";

export interface RefusalListeners {
  /** Called once for each kind of reason until nothing is refused any more. */
  readonly onRefused?: ((error: unknown) => void) | undefined;
  readonly onAccepted?: (() => void) | undefined;
}

export class Refusals {
  readonly #listeners: RefusalListeners;
  readonly #kinds = new Map<Refused, string>();

  constructor(listeners: RefusalListeners) {
    this.#listeners = listeners;
  }

  get hasAny(): boolean {
    return this.#kinds.size > 0;
  }

  /** Whether the listener has been told of a reason of this kind, and something is still refused for it. */
  includes(error: unknown): boolean {
    return [...this.#kinds.values()].includes(kindOf(error));
  }

  add(what: Refused, error: unknown): void {
    const kind = kindOf(error);
    const isNew = !this.includes(error);
    this.#kinds.set(what, kind);
    if (isNew) this.#listeners.onRefused?.(reasonOf(error));
  }

  remove(what: Refused): void {
    if (this.#kinds.delete(what) && this.#kinds.size === 0) this.#listeners.onAccepted?.();
  }
}

/** The first word of a reason; the rest may differ each time. */
function kindOf(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return reason.split(" ", 1)[0] ?? reason;
}
