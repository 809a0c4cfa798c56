/**
 * Where messages were in the log, for as long as a client may come back that has missed them. A Redis that has lost its memory is told
 * again: the messages are in the REST API's history, their order is not.
 */
import { DELAY_MIN_MS } from "../../bus.ts";
import { latest, parsePosition, positionAt, type Position } from "../../position.ts";

/** Positions of a topic that are remembered: what a client is given at most when it comes back. */
const MAX_POSITIONS = 10_000;

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

  /** @param windowMs how long positions are remembered, by the clock that they are of. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** @param cameAboutMs when the event came about, in milliseconds since the epoch, where it says so. */
  note(topic: string, id: string, position: Position, cameAboutMs: number | undefined): void {
    let of = this.#topics.get(topic);
    if (!of) this.#topics.set(topic, (of = { topic, positions: new Map(), late: "", delayMs: 0 }));
    of.positions.set(id, position);
    this.#latest = latest(this.#latest, position);
    if (cameAboutMs !== undefined) noteDelay(of, position, cameAboutMs);
    if (of.positions.size > MAX_POSITIONS) removeFirst(of.positions);
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

function removeFirst(positions: Map<string, Position>): void {
  const [first] = positions.keys();
  if (first !== undefined) positions.delete(first);
}
