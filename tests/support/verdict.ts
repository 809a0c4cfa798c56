/** What is wrong with what a client has heard. Pure: see tests/instances/verdict.test.ts. */

/** A message that was answered to its sender. Times on the process's clock. */
export interface Said {
  readonly id: string;
  readonly chatId: string;
  /** The sender's name and the number that it gave the message, which count up. */
  readonly content: string;
  readonly from: number;
  readonly to: number;
}

/** One delivery. */
export interface Heard {
  readonly id: string;
  readonly chatId: string;
  readonly content: string;
  /** Which of the client's connections it came on, counted from 1. */
  readonly connection: number;
  readonly at: number;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * `lost`: what was to be heard and was not. `twice`: what came twice on one connection. On a later connection a message may come
 * once more: what a client has certainly received is what it has confirmed.
 */
export function faultsOf(
  heard: readonly Heard[],
  expected: readonly Said[],
): { readonly lost: readonly string[]; readonly twice: readonly string[] } {
  const ids = new Set(heard.map(({ id }) => id));
  const seen = new Set<string>();
  const twice = heard.filter(({ id, connection }) => {
    const key = `${connection} ${id}`;
    return seen.has(key) || !seen.add(key);
  });
  return {
    lost: expected.filter(({ id }) => !ids.has(id)).map(({ content }) => content),
    twice: twice.map(({ content }) => content),
  };
}

/** The ids of messages that were under way while there was an outage. */
export function contestedIn(said: readonly Said[], outages: readonly Span[]): ReadonlySet<string> {
  const contested = said.filter(({ from, to }) => outages.some((outage) => from <= outage.to && to >= outage.from));
  return new Set(contested.map(({ id }) => id));
}

/**
 * Everybody hears each sender's messages in the order of sending, whatever happens, and hears a chat in the same order as everybody
 * else, but for messages that are contested.
 */
export function orderFaults(
  heard: readonly Heard[],
  others: readonly { readonly name: string; readonly heard: readonly Heard[] }[],
  contested: ReadonlySet<string>,
): readonly string[] {
  const mine = firsts(heard);
  const faults = [...overtaken(mine)];
  for (const { name, heard: theirs } of others) {
    const fault = firstDifference(mine, firsts(theirs), contested);
    if (fault !== undefined) faults.push(`in another order than ${name}: ${fault}`);
  }
  return faults;
}

/** A few of many. */
export function sample(contents: readonly string[]): string {
  return contents.length > 5 ? `${contents.slice(0, 5).join(", ")}, …` : contents.join(", ");
}

/** By chat, what was heard for the first time. */
function firsts(heard: readonly Heard[]): ReadonlyMap<string, readonly Heard[]> {
  const seen = new Set<string>();
  const first = heard.filter(({ id }) => !seen.has(id) && seen.add(id));
  return Map.groupBy(first, ({ chatId }) => chatId);
}

function* overtaken(byChat: ReadonlyMap<string, readonly Heard[]>): Generator<string> {
  for (const heard of byChat.values()) {
    const last = new Map<string, number>();
    for (const { content } of heard) {
      const [sender, number] = split(content);
      if (number < (last.get(sender) ?? 0)) yield `${content} after ${sender} ${last.get(sender)}`;
      last.set(sender, number);
    }
  }
}

function split(content: string): [sender: string, number: number] {
  const space = content.lastIndexOf(" ");
  return [content.slice(0, space), Number(content.slice(space + 1))];
}

function firstDifference(
  mine: ReadonlyMap<string, readonly Heard[]>,
  theirs: ReadonlyMap<string, readonly Heard[]>,
  contested: ReadonlySet<string>,
): string | undefined {
  for (const [chatId, here] of mine) {
    const there = theirs.get(chatId) ?? [];
    // Who came later has not heard what was before; that is looked for elsewhere.
    const [mineIds, theirIds] = [here, there].map((list) => new Set(list.map(({ id }) => id)));
    const isCompared = ({ id }: Heard): boolean =>
      mineIds?.has(id) === true && theirIds?.has(id) === true && !contested.has(id);
    const [left, right] = [here.filter(isCompared), there.filter(isCompared)];
    const index = left.findIndex(({ id }, at) => id !== right[at]?.id);
    if (index !== -1) return `${left[index]?.content} where it has ${right[index]?.content}`;
  }
  return undefined;
}
