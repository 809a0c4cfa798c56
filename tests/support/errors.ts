import { inspect } from "node:util";
import type { GraphQLFormattedError } from "graphql";
import { ResultErrors } from "./client.ts";

/** The one error that an operation ends with, in its result or instead of one. Rejects where there is none, or several. */
export async function errorIn(result: Promise<unknown>): Promise<GraphQLFormattedError> {
  const outcome = await result.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const errors = "error" in outcome ? errorsOf(outcome.error) : [];
  if (errors[0] && errors.length === 1) return errors[0];
  throw new Error(`expected a result with one error, got ${inspect(outcome, { depth: 5 })}`);
}

/** graphql-ws rejects with the bare list where the server sent an `error` message. */
function errorsOf(rejection: unknown): readonly GraphQLFormattedError[] {
  if (rejection instanceof ResultErrors) return rejection.errors;
  return Array.isArray(rejection) ? (rejection as GraphQLFormattedError[]) : [];
}

/** Its extensions: what a client goes by. */
export async function refusal(result: Promise<unknown>): Promise<Readonly<Record<string, unknown>>> {
  return (await errorIn(result)).extensions ?? {};
}
