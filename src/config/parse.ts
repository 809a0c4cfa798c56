/** Reading one variable, and saying what is wrong with it. */
import type { Variable } from "./variables.ts";

/** Everything that is wrong with an environment, a line each. Written for who starts the process. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** What a variable's text means; undefined where it is unset, or wrong: what is wrong is added to `problems`. */
export function parseVariable(
  name: string,
  variable: Variable<unknown>,
  given: string | undefined,
  problems: string[],
): unknown {
  const source = given ?? variable.default;
  if (source === undefined) return undefined;
  const parsed = variable.parse.safeParse(source);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues.find(({ code }) => code === "custom")?.message ?? "something else";
  problems.push(`${name}: expected ${variable.expected}, got ${variable.secret ? reason : JSON.stringify(source)}`);
  return undefined;
}
