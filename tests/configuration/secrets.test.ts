/** No complaint about a wrong value has a part of a secret in it, whatever is wrong. */
import { array, assert, constantFrom, property } from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, parseConfig } from "../../src/config/config.ts";

/** What takes an address apart, and what is in no sentence of the configuration's. */
const PARTS = [
  "q7Z",
  "xQ7",
  "Zx",
  ":",
  "/",
  "@",
  "?",
  "#",
  "%",
  "&",
  "=",
  ",",
  "[",
  "]",
  " ",
  "\t",
  "+",
  "-",
  "_",
  ".",
].concat(["~", "\\", '"', "'", "`", "$", "%2F", "%zz", "//", "é", "whsec_"]);
const secret = array(constantFrom(...PARTS), { minLength: 4, maxLength: 30 }).map((parts) => `Q7${parts.join("")}Z7`);

/** Where it may stand, and what may be wrong around it. */
const around = constantFrom<readonly [before: string, after: string]>(
  ["", ""],
  ["redis://:", "@h"],
  ["redis://u:", "@h:x"],
  ["redis://", "@h"],
  ["rediss+sentinel://u:", "@h?name=a"],
  ["redis+sentinel://h?name=a&sentinelPassword=", ""],
  ["redis+sentinel://h?", "=1"],
  ["redis://h/", ""],
  ["redis://h,", ":1"],
  ["h:6379?password=", ""],
  ["https://u:", "@api"],
  ["https://", "@api/v1"],
  ["https:/", "@api"],
  ["https://api/", "?x"],
  ["https://api?token=", ""],
  ["https://api#", ""],
  ["ftp://u:", "@api"],
  ["u:", "@api"],
  ["whsec_", ""],
  ["whsec_", ",whsec_YQ=="],
);

/** Every three characters that follow one another, where a sentence could not have them by chance. */
function piecesOf(text: string): string[] {
  const pieces = Array.from({ length: text.length - 2 }, (_, index) => text.slice(index, index + 3));
  return pieces.filter((piece) => /[q7Zx]/.test(piece));
}

/** What is said of a value; empty where it is taken. */
function complaint(name: string, value: string): string {
  try {
    parseConfig({ [name]: value });
    return "";
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

test.each(["HTTP_API_URL", "REDIS_URL", "EVENTS_SECRET", "ADMIN_TOKEN"])(
  "no part of a secret in %s is shown",
  (name) => {
    const sentences = new Set<string>();
    assert(
      property(secret, around, (text, [before, after]) => {
        const said = complaint(name, before + text + after);
        sentences.add(said);
        for (const piece of piecesOf(text)) expect(said).not.toContain(piece);
      }),
      { numRuns: 2000 },
    );
    // What is said depends on the kind of mistake alone.
    expect(sentences.size).toBeLessThan(20);
  },
);
