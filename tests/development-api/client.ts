/** Plain HTTP to the development API, as any client of the contract would speak it. */
import type { DevApi } from "../../src/dev/api.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** What the JSON says; the text itself where the answer is no JSON. */
  readonly body: unknown;
}

export interface CallOptions {
  /** Alice's where absent; null sends none. */
  readonly token?: string | null;
  /** An object is sent as JSON, a text as it is. */
  readonly body?: object | string;
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** @param request method and path, such as `GET /chats`. */
export async function call(api: DevApi, request: string, options: CallOptions = {}): Promise<Answer> {
  const response = await open(api, request, options);
  const text = await response.text();
  const json = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
}

/** Resolves with the answer's head. */
export function open(api: DevApi, request: string, options: CallOptions = {}): Promise<Response> {
  const { token = "alice-token", body, idempotencyKey, signal } = options;
  const [method = "", path = ""] = request.split(" ");
  return fetch(api.url + path, {
    method,
    redirect: "manual",
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(idempotencyKey !== undefined && { "idempotency-key": idempotencyKey }),
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  });
}
