/** Requests that are refused over HTTP before they are operations. */
import type { GraphQLError } from "graphql";
import { documentError, formattedError } from "../../graphql/errors.ts";

export const NOT_JSON = "An operation is sent as application/json.";

/** What is said where Yoga answers with a status alone. */
export const BARE_REFUSALS: ReadonlyMap<number, string> = new Map([
  [
    406,
    "Results are sent as application/json or application/graphql-response+json, those of subscriptions as text/event-stream.",
  ],
  [415, NOT_JSON],
]);

/** A request that is none of the specification's: 400 for every client. */
export function notAnOperation(message: string): GraphQLError {
  return withHttp(documentError("BAD_USER_INPUT", message), { status: 400 });
}

/** An error with what Yoga makes of it over HTTP. */
export function withHttp({ message, locations, extensions }: GraphQLError, http: object): GraphQLError {
  return formattedError({ message, ...(locations && { locations }), extensions: { ...extensions, http } });
}
