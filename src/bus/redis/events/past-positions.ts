/**
 * Where messages were in the log, for as long as a client may come back that has missed them. A Redis that has lost its memory is told
 * again: the messages are in the REST API's history, their order is not.
 */
import { DELAY_MIN_MS } from "../../bus.ts";
import { latest, parsePosition, positionAt, type Position } from "../../position.ts";

/** Positions that are remembered at most: of a topic, as many as a client is given when it comes back, and of all together. */
const MAX_OF_TOPIC = 10_000;
const MAX_POSITIONS = 100_000;

export interface TopicPositions {
  readonly topic: string;
  /** By the event's id, oldest first. */
  readonly positions: ReadonlyMap<string, Position>;
  /** The last event whose publication took long; empty where none did. */
  readonly late: Position;
  /** How long one took at most. */
  readonly delayMs: number;
}

interface Remembered extends TopicPositions {
  readonly positions: Map<string, Position>;
  late: Position;
  delayMs: number;
}

export class PastPositions {
  readonly #windowMs: number;
  readonly #topics = new Map<string, Remembered>();
  #latest: Position = "";
  #count = 0;

  /** @param windowMs how long positions are remembered, by the clock that they are of. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** @param cameAboutMs when the event came about, in milliseconds since the epoch. */
  note(topic: string, id: string, position: Position, cameAboutMs: number): void {
    let of = this.#topics.get(topic);
    if (!of) this.#topics.set(topic, (of = { topic, positions: new Map(), late: "", delayMs: 0 }));
    if (!of.positions.has(id)) this.#count++;
    of.positions.set(id, position);
    this.#latest = latest(this.#latest, position);
    noteDelay(of, position, cameAboutMs);
    if (of.positions.size > MAX_OF_TOPIC) this.#forgetFirst(of);
    else if (this.#count > MAX_POSITIONS) this.#forgetFirst(this.#topics.values().next().value ?? of);
  }

  #forgetFirst(of: Remembered): void {
    const [first] = of.positions.keys();
    if (first !== undefined && of.positions.delete(first)) this.#count--;
    if (of.positions.size === 0) this.#topics.delete(of.topic);
  }

  get topics(): Iterable<TopicPositions> {
    return this.#topics.values();
  }

  /** Forgets what is too old. */
  expire(): void {
    if (this.#latest === "") return;
    const oldest = positionAt(Math.max(0, parsePosition(this.#latest).ms - this.#windowMs), 0);
    for (const [topic, of] of this.#topics) {
      for (const [id, position] of of.positions) {
        if (position > oldest) break;
        of.positions.delete(id);
        this.#count--;
      }
      if (of.late < oldest) [of.late, of.delayMs] = ["", 0];
      if (of.positions.size === 0) this.#topics.delete(topic);
    }
  }
}

function noteDelay(of: Remembered, position: Position, cameAboutMs: number): void {
  const delayMs = parsePosition(position).ms - cameAboutMs;
  if (delayMs < DELAY_MIN_MS) return;
  of.late = latest(of.late, position);
  of.delayMs = Math.max(of.delayMs, delayMs);
}
