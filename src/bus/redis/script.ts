/** Lua scripts that Redis runs: each is one atomic step. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Cluster, Redis } from "ioredis";

export interface Script {
  readonly text: string;
  readonly sha: string;
}

const PRELUDE = readFileSync(new URL("prelude.lua", import.meta.url), "utf8");

/** A script out of `.lua` files, which follow the prelude in that order. The last one documents its keys and arguments. */
export function loadScript(directory: string, ...files: readonly string[]): Script {
  const body = files.map((file) => readFileSync(new URL(file, directory), "utf8")).join("\n");
  return toScript(`${PRELUDE}${body}`);
}

/** A script that uses nothing of the prelude, which would cost each call about a microsecond. */
export function loadBareScript(directory: string, file: string): Script {
  return toScript(readFileSync(new URL(file, directory), "utf8"));
}

function toScript(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** Runs a script by its digest. A server that does not know the script (it was restarted) is sent the text. */
export async function runScript(
  client: Redis | Cluster,
  { sha, text }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return client.eval(text, keys.length, ...keys, ...args);
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** An answer that is a list; empty where it is something else. */
export function toList(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}
