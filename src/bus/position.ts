/**
 * An event's place in the log: an instant of the bus's clock, which no two events of a topic share. As texts, later positions
 * are greater.
 */
export type Position = string;

const MS_DIGITS = 15;
const SEQUENCE_DIGITS = 12;
const MAX_SEQUENCE = 10 ** SEQUENCE_DIGITS - 1;

/** @param ms milliseconds since the epoch. @param sequence tells events of one millisecond apart. */
export function positionAt(ms: number, sequence: number): Position {
  return `${String(ms).padStart(MS_DIGITS, "0")}-${String(sequence).padStart(SEQUENCE_DIGITS, "0")}`;
}

/** The first position of an instant, in milliseconds since the epoch; an earlier instant counts as the epoch. */
export function firstAt(ms: number): Position {
  return positionAt(Math.max(0, ms), 0);
}

export function parsePosition(position: Position): { readonly ms: number; readonly sequence: number } {
  const dash = position.indexOf("-");
  if (dash === -1) return { ms: Number(position), sequence: 0 };
  return { ms: Number(position.slice(0, dash)), sequence: Number(position.slice(dash + 1)) };
}

export function isPosition(text: string): boolean {
  return /^\d{15}-\d{12}$/.test(text);
}

/** The greatest position that is less. */
export function justBefore(position: Position): Position {
  const { ms, sequence } = parsePosition(position);
  return sequence > 0 ? positionAt(ms, sequence - 1) : positionAt(ms - 1, MAX_SEQUENCE);
}

/** The position of `ms` before. */
export function earlier(position: Position, ms: number): Position {
  const parsed = parsePosition(position);
  return positionAt(Math.max(0, parsed.ms - ms), parsed.sequence);
}

/** The greater one. */
export function latest(one: Position | undefined, other: Position): Position {
  return one !== undefined && one > other ? one : other;
}
