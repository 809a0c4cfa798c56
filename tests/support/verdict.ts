/** What is wrong with what clients have received. Pure: see tests/instances/verdict.test.ts. */

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
}

/** What one client has received. */
export interface Received {
  readonly name: string;
  readonly chatIds: readonly string[];
  /** The client receives what is sent from then on. */
  readonly since: number;
  readonly heard: readonly Heard[];
  /** How its subscription ended, which it must not. */
  readonly end: string | undefined;
}

export interface Verdict {
  /** Messages that a client was to receive. */
  readonly expected: number;
  readonly received: number;
  /** Deliveries that are missing. */
  readonly lost: number;
  /** Deliveries that came twice on one connection. */
  readonly doubled: number;
  /** Deliveries that came once more on a later connection, as they may: what a client certainly has is what it has confirmed. */
  readonly repeated: number;
  /** Pairs of clients that received a chat in different orders, and sequences in which a sender overtakes itself. */
  readonly disordered: number;
  /** Subscriptions that ended. */
  readonly ended: number;
  /** What is wrong, a sentence each. */
  readonly faults: readonly string[];
}

/** A chat as one client received it: on one connection, or, each message once, on all of them. */
interface Sequence {
  readonly name: string;
  readonly listener: Received;
  readonly heard: readonly Heard[];
  /** Where each message is, by id. */
  readonly places: ReadonlyMap<string, number>;
}

export function judge(said: readonly Said[], listeners: readonly Received[]): Verdict {
  const answered = Map.groupBy(said, ({ chatId }) => chatId);
  const counts = { expected: 0, received: 0, lost: 0, doubled: 0, repeated: 0, ended: 0 };
  const faults: string[] = [];
  for (const listener of listeners) {
    const { heard, chatIds, since, end, name } = listener;
    const expected = chatIds.flatMap((id) => answered.get(id) ?? []).filter(({ from }) => from >= since);
    const { lost, doubled, repeated } = compare(heard, expected);
    counts.expected += expected.length;
    counts.received += heard.length;
    counts.lost += lost.length;
    counts.doubled += doubled.length;
    counts.repeated += repeated;
    if (lost.length > 0) faults.push(`${name}: ${lost.length} lost: ${sample(lost)}`);
    if (doubled.length > 0) faults.push(`${name}: ${doubled.length} twice: ${sample(doubled)}`);
    if (end === undefined) continue;
    counts.ended++;
    faults.push(`${name}: ended: ${end}`);
  }
  const disorders = disordersOf(listeners);
  return { ...counts, disordered: disorders.length, faults: [...faults, ...disorders] };
}

/** What a client has not received yet. */
export function lostOf({ heard, chatIds, since }: Omit<Received, "end">, said: readonly Said[]): readonly string[] {
  return compare(
    heard,
    said.filter(({ chatId, from }) => from >= since && chatIds.includes(chatId)),
  ).lost;
}

function compare(
  heard: readonly Heard[],
  expected: readonly Said[],
): { readonly lost: readonly string[]; readonly doubled: readonly string[]; readonly repeated: number } {
  const lastConnection = new Map<string, number>();
  const doubled: string[] = [];
  let repeated = 0;
  for (const { id, content, connection } of heard) {
    const last = lastConnection.get(id);
    lastConnection.set(id, connection);
    if (last === connection) doubled.push(content);
    else if (last !== undefined) repeated++;
  }
  const lost = expected.filter(({ id }) => !lastConnection.has(id)).map(({ content }) => content);
  return { lost, doubled, repeated };
}

/**
 * In a chat everybody receives the messages in the same order, on each connection and over all of them, and those of one sender in the
 * order of sending.
 */
function disordersOf(listeners: readonly Received[]): readonly string[] {
  const disorders: string[] = [];
  for (const sequences of sequencesOf(listeners).values()) {
    for (const sequence of sequences) disorders.push(...overtaken(sequence));
    const pairs = new Set<string>();
    for (const [index, one] of sequences.entries()) {
      for (const other of sequences.slice(0, index)) {
        const pair = [one.listener.name, other.listener.name].toSorted().join("\n");
        const difference = pairs.has(pair) ? undefined : firstDifference(one, other);
        if (difference === undefined) continue;
        pairs.add(pair);
        disorders.push(`${one.name}: in another order than ${other.name}: ${difference}`);
      }
    }
  }
  return disorders;
}

/** By chat. */
function sequencesOf(listeners: readonly Received[]): ReadonlyMap<string, readonly Sequence[]> {
  const sequences = new Map<string, Sequence[]>();
  for (const listener of listeners) {
    for (const [chatId, heard] of Map.groupBy(listener.heard, (one) => one.chatId)) {
      const connections = Map.groupBy(heard, ({ connection }) => connection);
      const of = [sequenceOf(listener, listener.name, heard)];
      if (connections.size > 1) {
        for (const [number, part] of connections) {
          of.push(sequenceOf(listener, `${listener.name}, connection ${number}`, part));
        }
      }
      sequences.set(chatId, [...(sequences.get(chatId) ?? []), ...of]);
    }
  }
  return sequences;
}

function sequenceOf(listener: Received, name: string, heard: readonly Heard[]): Sequence {
  const places = new Map<string, number>();
  const first = heard.filter(({ id }) => !places.has(id) && places.set(id, places.size));
  return { name, listener, heard: first, places };
}

function* overtaken({ name, heard }: Sequence): Generator<string> {
  const last = new Map<string, number>();
  for (const { content } of heard) {
    const [sender, number] = split(content);
    if (number < (last.get(sender) ?? 0)) yield `${name}: ${content} after ${sender} ${last.get(sender)}`;
    last.set(sender, number);
  }
}

function split(content: string): [sender: string, number: number] {
  const space = content.lastIndexOf(" ");
  return [content.slice(0, space), Number(content.slice(space + 1))];
}

/** Compares what both have. Who came later, or was away, has not received the rest; that is found elsewhere. */
function firstDifference(one: Sequence, other: Sequence): string | undefined {
  let before: { readonly content: string; readonly place: number } | undefined;
  for (const { id, content } of one.heard) {
    const place = other.places.get(id);
    if (place === undefined) continue;
    if (before && place < before.place) return `${content} after ${before.content}`;
    before = { content, place };
  }
  return undefined;
}

/** A few of many. */
function sample(contents: readonly string[]): string {
  return contents.length > 5 ? `${contents.slice(0, 5).join(", ")}, …` : contents.join(", ");
}
