/** Messages that a reader already has. The cursors of the next messages out of a history name them. */
import { compareByCreation, MAX_SEEN, PUBLICATION_MARGIN_MS } from "./cursor.ts";
import type { Message, MessageName } from "./model.ts";

/** One more than a cursor names: the last one shows that there are too many to name. */
export const MAX_HAD = MAX_SEEN + 1;

/** For one reader, while it reads one or more histories. */
export class HadMessages {
  /** An instant. Messages created since then may still have been on their way to the history when it was read. */
  readonly uncertainSince: string;
  /** The ones that were created last, in the order of creation. */
  readonly #newest: MessageName[] = [];

  /** @param readAtMs when the reading began, in milliseconds since the epoch. */
  constructor(readAtMs: number) {
    this.uncertainSince = new Date(readAtMs - PUBLICATION_MARGIN_MS).toISOString();
  }

  /** Notes that the reader has a message. */
  add({ chatId, createdAt, id }: MessageName): void {
    const newest = this.#newest;
    const isBefore = (other: MessageName): boolean => compareByCreation(other, { createdAt }) <= 0;
    const next = newest.findLastIndex(isBefore) + 1;
    if (next === 0 && newest.length === MAX_HAD) return;
    for (let index = next - 1; newest[index]?.createdAt === createdAt; index--) {
      if (newest[index]?.id === id && newest[index]?.chatId === chatId) return;
    }
    newest.splice(next, 0, { chatId, createdAt, id });
    if (newest.length > MAX_HAD) newest.shift();
  }

  /**
   * Notes that a message out of a history is delivered to the reader.
   *
   * @param lacksSince an instant. What the reader still lacks was created then or later, or was not yet in the history.
   * @returns the message with what its cursor says.
   */
  give(message: Message, lacksSince: string): Message {
    const { createdAt } = message;
    const lacked = lacksSince < createdAt ? lacksSince : createdAt;
    const since = lacked < this.uncertainSince ? lacked : this.uncertainSince;
    const seen = this.#since(since);
    this.add(message);
    const [first] = seen;
    if (first === undefined && since === createdAt) return message;
    if (!first || seen.length <= MAX_SEEN) return { ...message, lacksSince: since, seen };
    // Too many to name: shorten the uncertain time. What is known to be missing is kept, though messages are delivered again.
    const isNamed = first.createdAt < lacked;
    return { ...message, lacksSince: isNamed ? instantAfter(first.createdAt) : lacked, seen: seen.slice(1) };
  }

  #since(instant: string): readonly MessageName[] {
    const first = this.#newest.findLastIndex(({ createdAt }) => createdAt < instant) + 1;
    return this.#newest.slice(first);
  }
}

function instantAfter(createdAt: string): string {
  return new Date(Date.parse(createdAt) + 1).toISOString();
}
