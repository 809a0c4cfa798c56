/** What an answer of the REST API means: its body's shape, or the error that it means. */
import { STATUS_CODES } from "node:http";
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import type { HttpAnswer } from "./exchange.ts";
import type { HttpRequest } from "./http.ts";
import { parseJson } from "./parse-json.ts";
import { requestedWaitMs, unavailable } from "./rest-client.ts";
import type { Route } from "./rest-routes.ts";

/** The error that a status outside 2xx means. */
export function refusalOf(route: Route<unknown>, answer: HttpAnswer): GatewayError {
  const code = route.refusals[answer.status];
  if (code === undefined) {
    return unavailable(route, `answered ${answer.status}`, { retryAfterMs: requestedWaitMs(answer) });
  }
  if (code !== "BAD_USER_INPUT") return new GatewayError(code);
  const message = reasonOf(answer);
  return new GatewayError(code, {
    ...(message === undefined ? {} : { message }),
    ...(route.argument === undefined ? {} : { argument: route.argument }),
  });
}

const sentence = z.string().trim().min(1).max(500).optional().catch(undefined);
/** `detail` is that of RFC 9457, which some frameworks answer instead. */
const errorBody = z.object({ error: sentence, message: sentence, detail: sentence });

/** The reason that the body of a refusal gives, where it has a sentence, which is something to show to a person; else undefined. */
export function reasonOf({ status, text }: HttpAnswer): string | undefined {
  const { error, message, detail } = errorBody.safeParse(shortJsonOf(text)).data ?? {};
  // Some frameworks have the name of the status in `error`, and the sentence in `message`.
  return error === undefined || error === STATUS_CODES[status] ? (message ?? detail ?? error) : error;
}

/**
 * The body of a 2xx answer, as the route promises it. Neither the body nor the parser's own error, which quotes it, goes into the
 * error: there are messages in it.
 *
 * @throws GatewayError UPSTREAM_UNAVAILABLE, whose cause names the fields that are missing or mistyped.
 */
export async function parseAnswer<T>(route: Route<T>, answer: HttpAnswer): Promise<T> {
  const json = await readJson(route, answer);
  const parsed = route.answer.safeParse(json);
  if (parsed.success) return parsed.data;
  if (json === undefined) throw unavailable(route, "answered with an empty body");
  throw unavailable(route, `answered with another shape: ${fieldsOf(parsed.error)}`);
}

/**
 * The JSON of a body; undefined for an empty one. Of the answer to a request that changes something, words such as "OK" are as good as JSON.
 *
 * @param parse see {@link parseJson}.
 * @throws GatewayError UPSTREAM_UNAVAILABLE where it is none.
 */
export async function readJson(
  request: Pick<HttpRequest, "method" | "template">,
  { text, encoding = "identity" }: HttpAnswer,
  parse?: (text: string) => unknown,
): Promise<unknown> {
  if (isCoded(encoding)) {
    throw unavailable(
      request,
      `answered with content-encoding ${encoding.slice(0, 20)}, though identity was asked for`,
    );
  }
  if (!/\S/.test(text)) return undefined;
  try {
    return await parseJson(text, parse);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    if (request.method !== "GET" && isWords(text)) return text;
    throw unavailable(request, "answered with something that is not JSON");
  }
}

/** Whether a text is what frameworks answer where there is nothing to say, such as "OK" or "Created": neither a page nor broken JSON. */
export function isWords(text: string): boolean {
  return /^[^<>{}[\]"]{1,200}$/.test(text);
}

/** The codings of IANA's registry that change a body. Some servers write a charset, or "none", where one of these belongs. */
const CODING = /^(?:(?:x-)?gzip|(?:x-)?compress|deflate|br|zstd|dcb|dcz|exi|pack200-gzip|aes128gcm)$/i;

/** Whether a list of codings names one that changes the body. */
export function isCoded(encoding: string): boolean {
  return encoding.split(",").some((coding) => CODING.test(coding.trim()));
}

/** Undefined for what is no JSON, or too long to be the body of an error. */
function shortJsonOf(text: string): unknown {
  try {
    return text.length > MAX_ERROR_LENGTH ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

const MAX_ERROR_LENGTH = 65_536;

const MAX_FIELDS = 5;

/** The fields that are missing or mistyped, and how. What the answer says is not in it. */
export function fieldsOf(error: z.ZodError): string {
  const fields = error.issues.map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`);
  const more = fields.length - MAX_FIELDS;
  return fields.slice(0, MAX_FIELDS).join("; ") + (more > 0 ? `; and ${more} more` : "");
}
