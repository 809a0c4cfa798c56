/** Chats that nobody on this process knows, and to which something was published: who learns of one soon gets that, too. */
import { createBoundedCache } from "../bounded-cache.ts";
import type { Position } from "../bus/position.ts";

const REMEMBERED = 20_000;

interface Notice {
  readonly since: Position;
  readonly expiresAtMs: number;
}

export class UnknownChats {
  /** By chat, the oldest first: each is about what was published from it to the next one. */
  readonly #notices = createBoundedCache<string, readonly Notice[]>({ max: REMEMBERED });

  /** What the log of the chat has after `since` is for whoever learns of the chat within `ttlMs`. */
  add(chatId: string, since: Position, ttlMs: number): void {
    const notice = { since, expiresAtMs: Date.now() + ttlMs };
    this.#notices.set(chatId, [...this.#current(chatId), notice]);
  }

  /** Somebody has learnt of the chat: since when the log is for them. Undefined where nothing was published. */
  take(chatId: string): Position | undefined {
    // Asked for each chat of everybody who connects.
    if (this.#notices.size === 0) return undefined;
    const [oldest] = this.#current(chatId);
    this.#notices.delete(chatId);
    return oldest?.since;
  }

  #current(chatId: string): readonly Notice[] {
    const now = Date.now();
    return (this.#notices.get(chatId) ?? []).filter(({ expiresAtMs }) => expiresAtMs > now);
  }
}
