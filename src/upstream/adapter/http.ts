/** The gateway's client of the REST API as an adapter uses it: bound to one user's token. */
import { GatewayError, type ErrorCode } from "../../errors.ts";
import type { HttpAnswer } from "../exchange.ts";
import type { HttpRequest } from "../http.ts";
import { fillIn, headerValue } from "../request-parts.ts";
import { parseWithAllDigits } from "../parse-json.ts";
import { readJson, reasonOf } from "../rest-answer.ts";
import { requestedWaitMs, unavailable, type RestClient } from "../rest-client.ts";
import { PROFILE } from "../rest-routes.ts";

type Parameter = string | number | boolean;

export interface CallOptions {
  /** What goes into the path for each `:name`, escaped. */
  readonly params?: Readonly<Record<string, string | number>>;
  /** What is undefined is left out; of a list each value is a parameter. */
  readonly query?: Readonly<Record<string, Parameter | readonly Parameter[] | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** The Idempotency-Key header. */
  readonly idempotencyKey?: string;
  /** Over the gateway's own, `authorization` included. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Every method resolves to the JSON of a 2xx answer, or to undefined where its body is empty, and rejects with an error of the
 * catalogue: 400 and 422 BAD_USER_INPUT with the API's sentence, 401 UNAUTHENTICATED, 403 NOT_PARTICIPANT, 404 and 410 NOT_FOUND,
 * anything else UPSTREAM_UNAVAILABLE or UPSTREAM_TIMEOUT. What may be repeated is repeated.
 *
 * A whole number beyond 2 ** 53, which JavaScript would round, is a text of its digits: ids and instants are made of either.
 *
 * The type of an answer is what the adapter says that it is: what the adapter makes of it is checked.
 */
export interface AdapterHttp {
  /** The user's; every request carries it already. */
  readonly token: string;
  /** @param path below HTTP_API_URL, like `/rooms/:roomId/messages`. */
  get<T>(path: string, options?: CallOptions): Promise<T>;
  post<T>(path: string, options?: CallOptions): Promise<T>;
  put<T>(path: string, options?: CallOptions): Promise<T>;
  patch<T>(path: string, options?: CallOptions): Promise<T>;
  delete<T>(path: string, options?: CallOptions): Promise<T>;
}

const REFUSALS: ReadonlyMap<number, ErrorCode> = new Map([
  [400, "BAD_USER_INPUT"],
  [401, "UNAUTHENTICATED"],
  [403, "NOT_PARTICIPANT"],
  [404, "NOT_FOUND"],
  [410, "NOT_FOUND"],
  [422, "BAD_USER_INPUT"],
]);

export class BoundHttp implements AdapterHttp {
  readonly token: string;
  readonly #client: RestClient;
  readonly #call: string;

  /** @param call what the requests are for. `profile` asks whose the token is. */
  constructor(client: RestClient, token: string, call: string) {
    this.#client = client;
    this.token = token;
    this.#call = call;
  }

  get<T>(path: string, options?: CallOptions): Promise<T> {
    return this.#send("GET", path, options);
  }

  post<T>(path: string, options?: CallOptions): Promise<T> {
    return this.#send("POST", path, options);
  }

  put<T>(path: string, options?: CallOptions): Promise<T> {
    return this.#send("PUT", path, options);
  }

  patch<T>(path: string, options?: CallOptions): Promise<T> {
    return this.#send("PATCH", path, options);
  }

  delete<T>(path: string, options?: CallOptions): Promise<T> {
    return this.#send("DELETE", path, options);
  }

  async #send<T>(method: HttpRequest["method"], template: string, options: CallOptions = {}): Promise<T> {
    const { params = {}, query = {}, idempotencyKey, ...rest } = options;
    const ids = Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));
    const request: HttpRequest = {
      method,
      template,
      path: fillIn(template, ids) + searchOf(query),
      token: this.token,
      // The adapter may have written an id into its path.
      route: this.#call,
      isAuthentication: this.#call === "profile",
      ...(idempotencyKey === undefined ? {} : { idempotencyKey: headerValue(idempotencyKey) }),
      ...rest,
    };
    const answer = await this.#client.send(request);
    if (answer.status < 200 || answer.status > 299) throw refusalOf(request, answer);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the adapter makes of it is checked
    return (await readJson(request, answer, parseWithAllDigits)) as T;
  }
}

function refusalOf(request: HttpRequest, answer: HttpAnswer): GatewayError {
  // As without an adapter, more statuses are final where it is asked whose a token is.
  const ofToken = request.isAuthentication === true ? PROFILE.refusals[answer.status] : undefined;
  const code = REFUSALS.get(answer.status) ?? ofToken;
  if (code === undefined) {
    return unavailable(request, `answered ${answer.status}`, { retryAfterMs: requestedWaitMs(answer) });
  }
  const message = code === "BAD_USER_INPUT" ? reasonOf(answer) : undefined;
  return new GatewayError(code, message === undefined ? {} : { message });
}

function searchOf(query: NonNullable<CallOptions["query"]>): string {
  const search = new URLSearchParams(
    Object.entries(query).flatMap(([name, given]) =>
      [given].flat().flatMap((value) => (value === undefined ? [] : [[name, String(value)]])),
    ),
  ).toString();
  return search === "" ? "" : `?${search}`;
}
