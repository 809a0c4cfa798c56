/** What an answer of the REST API means: its body's shape, or the error that it stands for. */
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import type { HttpAnswer } from "./http.ts";
import { requestedWaitMs, unavailable } from "./rest-client.ts";
import type { Route } from "./rest-routes.ts";

/** The error that a status outside 2xx stands for. */
export function refusalOf(route: Route<unknown>, answer: HttpAnswer): GatewayError {
  const code = route.refusals[answer.status];
  if (code === undefined) {
    return unavailable(route, `answered ${answer.status}`, { retryAfterMs: requestedWaitMs(answer) });
  }
  if (code !== "BAD_USER_INPUT") return new GatewayError(code);
  const message = sentenceOf(answer.text);
  return new GatewayError(code, {
    ...(message === undefined ? {} : { message }),
    ...(route.argument === undefined ? {} : { argument: route.argument }),
  });
}

const sentence = z.string().trim().min(1).max(500).optional().catch(undefined);
const errorBody = z.object({ error: sentence, message: sentence });

/** What the API says of a request that it refused, where that is something to show to a person. */
function sentenceOf(text: string): string | undefined {
  const body = errorBody.safeParse(jsonOf(text)).data;
  return body?.error ?? body?.message;
}

/**
 * The body of a 2xx answer, as the route promises it. Neither the body nor the parser's own error, which quotes it, goes into the
 * error: there are messages in it.
 *
 * @throws GatewayError UPSTREAM_UNAVAILABLE, whose cause names the fields that are missing or mistyped.
 */
export function parseAnswer<T>(route: Route<T>, text: string): T {
  const json = jsonOf(text);
  if (json === NOT_JSON) throw unavailable(route, "answered with something that is not JSON");
  const parsed = route.answer.safeParse(json);
  if (parsed.success) return parsed.data;
  if (json === undefined) throw unavailable(route, "answered with an empty body");
  throw unavailable(route, `answered with another shape: ${fieldsOf(parsed.error)}`);
}

const NOT_JSON = Symbol("not JSON");

/** Undefined for an empty body. */
function jsonOf(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return NOT_JSON;
  }
}

const MAX_FIELDS = 5;

function fieldsOf(error: z.ZodError): string {
  const fields = error.issues.map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`);
  const more = fields.length - MAX_FIELDS;
  return fields.slice(0, MAX_FIELDS).join("; ") + (more > 0 ? `; and ${more} more` : "");
}
