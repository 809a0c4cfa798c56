/** The file of `TRUSTED_DOCUMENTS`: `{ "<hash>": "<document>" }`, as codegen's client-preset writes it to persisted-documents.json. */
import { getHashes, hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { GraphQLSchema } from "graphql";
import { Documents } from "./documents.ts";
import { normaliseHash } from "./persisted-documents.ts";

/** By the length of their hexadecimal digests. */
const ALGORITHMS: ReadonlyMap<number, string> = new Map([
  [32, "md5"],
  [40, "sha1"],
  [64, "sha256"],
  [96, "sha384"],
  [128, "sha512"],
]);

const SHOWN_CHARACTERS = 80;

/**
 * Reads the file and checks every entry: its hash, and its document against the schema and the limits.
 *
 * @returns each text by its hash, and by its SHA-256. Undefined where there is no file.
 * @throws Error that names the variable, the file and the entry that is wrong.
 */
export async function loadTrustedDocuments(
  path: string | undefined,
  schema: GraphQLSchema,
  introspection: boolean,
): Promise<ReadonlyMap<string, string> | undefined> {
  if (path === undefined) return undefined;
  const documents = new Documents(schema, introspection);
  const texts = new Map<string, string>();
  for (const [name, text] of await readEntries(path)) {
    const problem = problemOf(name, text, documents);
    if (problem !== undefined) throw wrong(path, `entry ${JSON.stringify(name.slice(0, SHOWN_CHARACTERS))} ${problem}`);
    texts.set(normaliseHash(name), String(text));
    texts.set(hash("sha256", String(text)), String(text));
  }
  if (texts.size === 0) throw wrong(path, "has no document, so that nothing could be executed");
  return texts;
}

async function readEntries(path: string): Promise<[string, unknown][]> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    const problem = cause instanceof SyntaxError ? "is not JSON" : "cannot be read";
    throw wrong(path, problem, cause);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw wrong(path, "is not an object of hashes and documents");
  }
  return Object.entries(content);
}

function problemOf(name: string, text: unknown, documents: Documents): string | undefined {
  if (typeof text !== "string") return "is not the text of a document";
  const digest = normaliseHash(name);
  const algorithm = ALGORITHMS.get(digest.length);
  if (algorithm === undefined || !/^[0-9a-f]+$/.test(digest) || !getHashes().includes(algorithm)) {
    return "is not a hash: expected the hexadecimal SHA-256 of the document, with or without sha256: before it";
  }
  if (hash(algorithm, text) !== digest) return `is not the ${algorithm} of its document`;
  const parsed = documents.read(text);
  if ("document" in parsed) return undefined;
  return `has a document that cannot be executed: ${parsed.errors.map(({ message }) => message).join(" ")}`;
}

function wrong(path: string, problem: string, cause?: unknown): Error {
  return new Error(`TRUSTED_DOCUMENTS: ${path} ${problem}`, cause === undefined ? undefined : { cause });
}
