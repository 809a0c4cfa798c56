/** What the reader of messages of a history has already: the cursors of those that it is given next are made with it. */
import { compareByCreation, MAX_SEEN, PUBLICATION_MARGIN_MS } from "./cursor.ts";
import type { Message, MessageName } from "./model.ts";

/** One more than a cursor names: it tells whether those that are named are all there are. */
export const MAX_HAD = MAX_SEEN + 1;

/** An instant. What was created from then on may still have been under way to a history that was read then. */
export function uncertainSince(readAtMs: number): string {
  return new Date(readAtMs - PUBLICATION_MARGIN_MS).toISOString();
}

/** Of one reader, and one reading of one or more histories. */
export class HadMessages {
  readonly #uncertainSince: string;
  /** The ones that were created last, in the order of creation. */
  readonly #newest: MessageName[] = [];

  /** @param readAtMs when the reading began, in milliseconds since the epoch. */
  constructor(readAtMs: number) {
    this.#uncertainSince = uncertainSince(readAtMs);
  }

  /** The reader has a message. */
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
   * The reader is given a message out of a history.
   *
   * @param lacksSince an instant: what the reader does not have then was created at that one or later, or was not in the history yet.
   * @returns the message as its cursor is made of it.
   */
  give(message: Message, lacksSince: string): Message {
    const { createdAt } = message;
    const lacked = lacksSince < createdAt ? lacksSince : createdAt;
    const since = lacked < this.#uncertainSince ? lacked : this.#uncertainSince;
    const seen = this.#since(since);
    this.add(message);
    const [first] = seen;
    if (first === undefined && since === createdAt) return message;
    if (!first || seen.length <= MAX_SEEN) return { ...message, lacksSince: since, seen };
    // Nothing that is known to be missing is left out: rather, messages come again. What is uncertain reaches back less far.
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
