/** What somebody wants of a history, and what of it has been found while its pages are read. */
import { GatewayError } from "../errors.ts";
import type { NextPage } from "../upstream/chat-api.ts";
import type { CreationOrder, Ordered } from "./creation-order.ts";
import { bytesOf, isLeftOut, type HeldMessages } from "./held-messages.ts";
import type { Message, MessageName } from "./model.ts";

/** What somebody wants of a history. */
export interface HistoryQuestion {
  readonly isWanted: (message: Message) => boolean;
  /** The maximum number of messages. */
  readonly limit: number;
  /** An instant. The reader has every message created since then that is not wanted. */
  readonly hadSince?: string | undefined;
  /** Has the texts of the messages that come first; where absent, all messages have theirs. */
  readonly held?: HeldMessages | undefined;
}

/** What a history has for a question. */
export interface HistoryAnswer {
  /** In order, each once. */
  readonly wanted: readonly Ordered[];
  /** What is not wanted, of those that were created since the question's `hadSince`. */
  readonly had: readonly MessageName[];
}

/** Somebody who wants something of a history. */
export class HistorySelection {
  readonly #question: HistoryQuestion;
  readonly #answer = Promise.withResolvers<HistoryAnswer>();
  /** Wanted so far, in no order. */
  #whole: Ordered[] = [];
  #wholeBytes = 0;
  /** Wanted as well. There is enough before them: what is read later does not bring them to the front. */
  readonly #leftOut: Ordered[] = [];
  readonly #had: MessageName[] = [];
  isDone = false;

  constructor(question: HistoryQuestion) {
    this.#question = question;
  }

  /** Whether it is wanted only where it is not too much. */
  get isBounded(): boolean {
    return this.#question.limit !== Infinity;
  }

  get answer(): Promise<HistoryAnswer> {
    return this.#answer.promise;
  }

  take(page: readonly Ordered[], order: CreationOrder): void {
    if (this.isDone) return;
    const { limit, hadSince, held } = this.#question;
    for (const ordered of page) {
      const { message } = ordered;
      if (this.#question.isWanted(message)) {
        this.#whole.push(ordered);
        this.#wholeBytes += bytesOf(message);
      } else if (hadSince !== undefined && message.createdAt >= hadSince) {
        const { id, chatId, createdAt } = message;
        this.#had.push({ id, chatId, createdAt });
      }
    }
    // Not at each page: to sort them takes its time.
    if (held && this.#wholeBytes > 2 * held.maxBytes) this.#leaveOut(held, order);
    const isTooMuch = this.#whole.length + this.#leftOut.length > limit && this.#wanted(order).length > limit;
    if (isTooMuch) this.fail(new GatewayError("CURSOR_EXPIRED"));
  }

  finish(order: CreationOrder, pages: readonly (NextPage | undefined)[]): void {
    const { held } = this.#question;
    this.isDone = true;
    held?.read(pages);
    const wanted = this.#wanted(order);
    this.#answer.resolve({ wanted: held?.trim(wanted) ?? wanted, had: this.#had });
  }

  fail(error: unknown): void {
    this.isDone = true;
    this.#answer.reject(error);
  }

  #wanted(order: CreationOrder): readonly Ordered[] {
    return order.ordered([...this.#leftOut, ...this.#whole]);
  }

  #leaveOut(held: HeldMessages, order: CreationOrder): void {
    const trimmed = held.trim(order.ordered(this.#whole));
    this.#whole = [];
    this.#wholeBytes = 0;
    for (const ordered of trimmed) {
      if (isLeftOut(ordered.message)) this.#leftOut.push(ordered);
      else {
        this.#whole.push(ordered);
        this.#wholeBytes += bytesOf(ordered.message);
      }
    }
  }
}
