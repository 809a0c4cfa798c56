/** Pages of histories that were read a moment ago, for replays that have left texts out and want them now. */
import { LRUCache } from "lru-cache";
import type { MessagePage, NextPage } from "../upstream/chat-api.ts";
import type { Identity } from "./session.ts";

/** Of all pages that are kept. */
const MAX_BYTES = 8 * 1_048_576;

/** A text that was left out is as old as one that was held, or a little older. */
const KEPT_MS = 2000;

/** A message beside its text. */
const MESSAGE_BYTES = 500;

export class RecentPages {
  readonly #pages = new LRUCache<string, MessagePage>({
    maxSize: MAX_BYTES,
    ttl: KEPT_MS,
    ttlAutopurge: true,
    sizeCalculation: bytesOf,
  });

  /** A page, where it was read with the same token a moment ago. */
  get(identity: Identity, chatId: string, asked: NextPage | undefined): MessagePage | undefined {
    return this.#pages.get(keyOf(identity, chatId, asked));
  }

  keep(identity: Identity, chatId: string, asked: NextPage | undefined, page: MessagePage): void {
    this.#pages.set(keyOf(identity, chatId, asked), page);
  }

  /** A page has been read anew: where it is kept, it is this one from now on. */
  replace(identity: Identity, chatId: string, asked: NextPage | undefined, page: MessagePage): void {
    if (this.#pages.size === 0) return;
    const key = keyOf(identity, chatId, asked);
    if (this.#pages.has(key)) this.#pages.set(key, page);
  }
}

/** Whose right a page was read with is part of what it is known by. */
function keyOf({ tokenHash }: Identity, chatId: string, asked: NextPage | undefined): string {
  return JSON.stringify([tokenHash, chatId, asked?.parameter, asked?.value]);
}

function bytesOf({ messages }: MessagePage): number {
  return messages.reduce((bytes, { content }) => bytes + MESSAGE_BYTES + content.length, 1);
}
