/** JSON of any size, parsed without keeping the event loop for long. */
import { Breather } from "./breather.ts";

/** A text up to this length is parsed at once: it takes a few milliseconds. */
const AT_ONCE = 256 * 1024;

/** Deeper than this a value is parsed at once, however long: it is no list of records. */
const MAX_DEPTH = 4;

/** Parses a text at once. */
type Parse = (text: string) => unknown;

/**
 * What `JSON.parse` makes of a text. A long one is parsed piece by piece, each member of a long array or object by itself, and others
 * have their turn in between.
 *
 * @param parse for the pieces, in the place of `JSON.parse`.
 * @throws SyntaxError where the text is not JSON.
 */
export async function parseJson(text: string, parse: Parse = parsePiece): Promise<unknown> {
  if (text.length <= AT_ONCE) return parse(text);
  return new PiecewiseParser(text, parse).parse();
}

const parsePiece: Parse = (text) => JSON.parse(text) as unknown;

/** As `JSON.parse`, but a whole number that JavaScript would round, as the ids of many APIs are, is a text of its digits. */
export function parseWithAllDigits(text: string): unknown {
  // Most texts have no such number, and the function below is called for each value.
  return /\d{16}/.test(text) ? (JSON.parse(text, withAllDigits) as unknown) : parsePiece(text);
}

function withAllDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const { source = "" } = context ?? {};
  return typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? source : value;
}

class PiecewiseParser {
  readonly #text: string;
  readonly #parsePiece: Parse;
  readonly #breather = new Breather();

  constructor(text: string, parse: Parse) {
    this.#text = text;
    this.#parsePiece = parse;
  }

  parse(): Promise<unknown> {
    return this.#parse(0, this.#text.length, 0);
  }

  async #parse(start: number, end: number, depth: number): Promise<unknown> {
    const first = skipBlanks(this.#text, start, end);
    const opening = this.#text[first];
    if (end - start <= AT_ONCE || depth > MAX_DEPTH || (opening !== "[" && opening !== "{")) {
      return this.#parsePiece(this.#text.slice(start, end));
    }
    const last = lastOf(this.#text, first, end);
    if (this.#text[last] !== (opening === "[" ? "]" : "}")) throw new SyntaxError("an unclosed array or object");
    return opening === "[" ? this.#parseArray(first + 1, last, depth) : this.#parseObject(first + 1, last, depth);
  }

  async #parseArray(start: number, end: number, depth: number): Promise<unknown[]> {
    const values: unknown[] = [];
    if (skipBlanks(this.#text, start, end) === end) return values;
    for (let from = start; from <= end;) {
      const to = await this.#endOfMember(from, end);
      values.push(await this.#value(from, to, depth));
      from = to + 1;
    }
    return values;
  }

  async #parseObject(start: number, end: number, depth: number): Promise<object> {
    const entries: [string, unknown][] = [];
    if (skipBlanks(this.#text, start, end) === end) return {};
    for (let from = start; from <= end;) {
      const to = await this.#endOfMember(from, end);
      const nameStart = skipBlanks(this.#text, from, to);
      const nameEnd = this.#text[nameStart] === '"' ? endOfString(this.#text, nameStart, to) : nameStart;
      const colon = skipBlanks(this.#text, nameEnd, to);
      if (this.#text[colon] !== ":") throw new SyntaxError("a member of an object without its name");
      const name: unknown = JSON.parse(this.#text.slice(nameStart, nameEnd));
      entries.push([String(name), await this.#value(colon + 1, to, depth)]);
      from = to + 1;
    }
    return Object.fromEntries(entries);
  }

  /** Most members are short: those need no promise of their own. */
  #value(start: number, end: number, depth: number): unknown {
    return end - start <= AT_ONCE ? this.#parsePiece(this.#text.slice(start, end)) : this.#parse(start, end, depth + 1);
  }

  /** Where the comma after the member that begins at `start` is, or `end`. */
  async #endOfMember(start: number, end: number): Promise<number> {
    const text = this.#text;
    let depth = 0;
    for (let at = start, steps = 0; at < end; at++, steps++) {
      if ((steps & 0x3f_ff) === 0x3f_ff && this.#breather.isDue) await this.#breather.breathe();
      const code = text.charCodeAt(at);
      if (code === QUOTE) at = endOfString(text, at, end) - 1;
      else if (code === OPENING_BRACE || code === OPENING_BRACKET) depth++;
      else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth--;
      else if (code === COMMA && depth === 0) return this.#breathed(at);
    }
    return end;
  }

  #breathed(at: number): number | Promise<number> {
    return this.#breather.isDue ? this.#breather.breathe().then(() => at) : at;
  }
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPENING_BRACE, CLOSING_BRACE, OPENING_BRACKET, CLOSING_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

/** Behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number, end: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1 && at < end; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  throw new SyntaxError("an unclosed string");
}

function skipBlanks(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** Where the last character that is no blank is. */
function lastOf(text: string, start: number, end: number): number {
  let at = end - 1;
  while (at > start && isBlank(text.charCodeAt(at))) at--;
  return at;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
