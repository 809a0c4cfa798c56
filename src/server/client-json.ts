/** JSON as clients send it: flat enough to be parsed in a moment. */

/** Arrays and objects in each other. A text that is nothing else takes V8 ten times as long as any other of its length. */
const MAX_DEPTH = 100;

/**
 * What `JSON.parse` makes of a text.
 *
 * @throws RangeError where it is nested too deeply; SyntaxError where it is not JSON.
 */
export function parseClientJson(text: string): unknown {
  if (text.length > MAX_DEPTH && isTooDeep(text)) throw new RangeError("nested too deeply");
  return JSON.parse(text) as unknown;
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"') index = endOfString(text, index);
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

/** Where the string ends that begins here. */
function endOfString(text: string, start: number): number {
  let end = start;
  do {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
  } while (isEscaped(text, end));
  return end;
}

function isEscaped(text: string, index: number): boolean {
  let before = index - 1;
  while (text[before] === "\\") before--;
  return (index - before) % 2 === 0;
}
