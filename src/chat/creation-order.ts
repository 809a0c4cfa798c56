/** The order of a chat's messages as its history tells it: by creation, equal instants in the order of the API's own pages. */
import type { WireMessage } from "../upstream/chat-api.ts";
import { compareInstants } from "../upstream/instant.ts";
import { toMessage, type Message } from "./model.ts";

/** A message, and its place in the history that was read. */
export interface Ordered {
  readonly message: Message;
  /** With the digits beyond milliseconds. */
  readonly createdAt: string;
  readonly page: number;
  /** In its page, as the API has it. */
  readonly index: number;
  /** The same without its text, once somebody has left it out: made once for all who wait for messages of the history. */
  withoutText: Ordered | undefined;
}

/** Made for one reading of a history, which tells it of each page. */
export class CreationOrder {
  #pages = 0;
  /** Of the first page that has messages. */
  #first: (Span & { readonly ids: ReadonlySet<string> }) | undefined;
  /** Whether each page is older than the one before it, as far as is known. */
  #isBackwards: boolean | undefined;
  /** Whether each page has its newest message first, as far as is known. */
  #isNewestFirst: boolean | undefined;

  /** The messages of the next page. */
  add(messages: readonly WireMessage[]): readonly Ordered[] {
    const page = this.#pages++;
    this.#learnDirection(messages);
    this.#isNewestFirst ??= isNewestFirst(messages);
    return messages.map((wire, index) => ({
      message: toMessage(wire),
      createdAt: wire.createdAt,
      page,
      index,
      withoutText: undefined,
    }));
  }

  /** In order, each message once: pages may overlap while somebody writes. */
  ordered(messages: readonly Ordered[]): Ordered[] {
    const distinct = new Map(messages.map((ordered) => [ordered.message.id, ordered]));
    return [...distinct.values()].toSorted((a, b) => this.#compare(a, b));
  }

  #compare(a: Ordered, b: Ordered): number {
    const byInstant = compareInstants(a.createdAt, b.createdAt);
    if (byInstant !== 0) return byInstant;
    if (a.page === b.page) return (this.#isNewestFirst ?? this.#isBackwards) ? b.index - a.index : a.index - b.index;
    return this.#isBackwards ? b.page - a.page : a.page - b.page;
  }

  /**
   * The first page that has other instants than the first one tells: in a history that goes back in time nothing on it is newer than anything
   * there. While somebody writes messages move to the next page, and are on both.
   */
  #learnDirection(messages: readonly WireMessage[]): void {
    if (this.#isBackwards !== undefined) return;
    const span = spanOf(this.#first ? messages.filter(({ id }) => !this.#first?.ids.has(id)) : messages);
    if (!this.#first) this.#first = span && { ...span, ids: new Set(messages.map(({ id }) => id)) };
    else if (span && !isOneInstant(span, this.#first)) this.#isBackwards = isBefore(span, this.#first);
  }
}

interface Span {
  readonly oldest: string;
  readonly newest: string;
}

function spanOf(messages: readonly WireMessage[]): Span | undefined {
  const [first, ...instants] = messages.map(({ createdAt }) => createdAt).toSorted(compareInstants);
  return first === undefined ? undefined : { oldest: first, newest: instants.at(-1) ?? first };
}

function isBefore(span: Span, other: Span): boolean {
  return compareInstants(span.newest, other.oldest) <= 0 && compareInstants(span.oldest, other.newest) < 0;
}

function isOneInstant(span: Span, other: Span): boolean {
  const { oldest } = span;
  return [span.newest, other.oldest, other.newest].every((instant) => compareInstants(instant, oldest) === 0);
}

/** Undefined where the page does not tell: it has no two instants. */
function isNewestFirst(messages: readonly WireMessage[]): boolean | undefined {
  const steps = messages.slice(1).map(({ createdAt }, index) => {
    return compareInstants(messages[index]?.createdAt ?? createdAt, createdAt);
  });
  if (steps.every((step) => step === 0)) return undefined;
  return steps.every((step) => step >= 0);
}
