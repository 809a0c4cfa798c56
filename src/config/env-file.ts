/** Reads a file of variables. */
import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { ConfigError } from "./parse.ts";

/**
 * The variables of a file; none where there is no such file. Not `process.loadEnvFile`: to that a byte order mark belongs to the first name,
 * and a file in UTF-16 has no variables.
 *
 * @throws ConfigError where it cannot be read.
 */
export function readEnvFile(path: string): Readonly<Record<string, string | undefined>> {
  if (!existsSync(path)) return {};
  const text = read(path).replace(/^\uFEFF/, "");
  if (text.includes("\0")) throw new ConfigError(`${path}: expected a file in UTF-8, got another encoding`);
  return parseEnv(text);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "an error";
    throw new ConfigError(`${path}: expected a file that can be read, got ${code}`, { cause });
  }
}
