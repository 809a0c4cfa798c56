/** What an environment variable may be: the kinds of entries of the table in `config.ts`. */
import { z } from "zod";
import { isHeaderName, normaliseOrigin, parseHost, type HostName } from "./web-names.ts";
import { parseRedisAddress, RedisAddressError } from "./redis-address.ts";

/** One environment variable. `parse` gets the text that was given; where nothing was given the default's text is parsed. */
export interface Variable<T> {
  readonly default: string | undefined;
  /** Shown in the documentation where the default depends on something. */
  readonly defaultText?: string;
  /** The value may hold a secret: no part of it is ever shown. What `parse` says of a custom issue completes "got …" instead. */
  readonly secret?: true;
  /** Completes "expected …". */
  readonly expected: string;
  readonly parse: z.ZodType<T, string>;
  readonly sentence: string;
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/** What Apollo Client, urql, graphql-sse and the browser parts of tracing libraries send. */
const DEFAULT_ALLOWED_HEADERS = [
  "authorization",
  "content-type",
  "accept",
  "cache-control",
  "last-event-id",
  "x-request-id",
  "x-requested-with",
  "traceparent",
  "tracestate",
  "baggage",
  "sentry-trace",
  "apollo-require-preflight",
  "apollographql-client-name",
  "apollographql-client-version",
  "x-apollo-operation-id",
  "x-apollo-operation-name",
];

export function whole(fallback: number, min: number, max: number, sentence: string): Variable<number> {
  return {
    default: String(fallback),
    expected: `a whole number from ${min} to ${max}`,
    parse: z.string().regex(/^\d+$/).transform(Number).pipe(z.number().int().min(min).max(max)),
    sentence,
  };
}

/** One that has no default. */
function optionalWhole(min: number, max: number, sentence: string): Variable<number | undefined> {
  const { expected, parse } = whole(min, min, max, sentence);
  return { default: undefined, expected, parse: optional(parse), sentence };
}

export function duration(fallbackMs: number, sentence: string, minMs = 1): Variable<number> {
  return whole(fallbackMs, minMs, MAX_TIMER_MS, sentence);
}

export function text<T extends string | undefined>(fallback: T, sentence: string): Variable<T> {
  return {
    default: fallback,
    expected: "some text",
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a text or, where there is no default, undefined
    parse: z.string() as unknown as z.ZodType<T, string>,
    sentence,
  };
}

/** For a variable that has no default. */
export function optional<T>(parse: z.ZodType<T, string>): z.ZodType<T | undefined, string> {
  return parse;
}

export function choice<const T extends readonly [string, ...string[]]>(
  options: T,
  fallback: T[number],
  sentence: string,
): Variable<T[number]> {
  return { default: fallback, expected: `one of ${options.join(", ")}`, parse: z.enum(options), sentence };
}

export function flag(fallback: boolean | undefined, sentence: string, defaultText?: string): Variable<boolean> {
  return {
    default: fallback === undefined ? undefined : String(fallback),
    expected: "true or false (on or off, 1 or 0)",
    parse: z
      .enum(["true", "on", "1", "false", "off", "0"])
      .transform((value) => value === "true" || value === "on" || value === "1"),
    sentence,
    ...(defaultText === undefined ? {} : { defaultText }),
  };
}

/** So many of something in so long a time. */
export interface Rate {
  readonly count: number;
  readonly windowMs: number;
}

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
]);

export function rate(fallback: string, sentence: string): Variable<Rate> {
  return {
    default: fallback,
    expected: "a count and a time, like 20/10s (units: ms, s, m; at most 24 days)",
    parse: z
      .string()
      .regex(/^[1-9]\d{0,8}\/[1-9]\d{0,5}(ms|s|m)$/)
      .transform((value) => {
        const [count = "", time = ""] = value.split("/");
        const unitMs = UNIT_MS.get(time.replace(/^\d+/, "")) ?? 1;
        return { count: Number(count), windowMs: Number.parseInt(time, 10) * unitMs };
      })
      // A longer window would end at once: timers overflow.
      .refine(({ windowMs }) => windowMs <= MAX_TIMER_MS),
    sentence,
  };
}

/** A list, comma-separated, of what `read` takes; undefined there is what it does not take. */
function list<T>(read: (entry: string) => T | undefined): z.ZodType<readonly T[], string> {
  return z.string().transform((value, context) => {
    const entries = value.split(",").map((entry) => read(entry.trim()));
    const known = entries.filter((entry) => entry !== undefined);
    if (known.length < entries.length) context.addIssue({ code: "invalid_format", format: "list" });
    return known;
  });
}

export const origins: Variable<readonly string[] | "*"> = {
  default: "http://localhost:5173",
  expected: "origins like https://chat.example.com, comma-separated, or *",
  parse: z.union([z.literal("*"), list(normaliseOrigin)]),
  sentence:
    "Origins that browsers may come from, comma-separated, for HTTP and WebSocket alike; `*` allows all. Apps have origins like `capacitor://localhost` or, with care, `null`. The gateway's own origin and requests without `Origin`, which no browser sends, are always allowed.",
};

export const allowedHosts: Variable<readonly HostName[] | undefined> = {
  default: undefined,
  expected: "hosts like chat.example.com or chat.example.com:8443, comma-separated",
  parse: optional(list(parseHost)),
  sentence:
    "Hosts that requests may be for, comma-separated; one without a port is allowed with each. A request with another `Host` is answered 421, which keeps out pages whose name was made to resolve to the gateway (DNS rebinding). `/health`, `/ready` and `/events` are not concerned. Unset: any.",
};

export const allowedHeaders: Variable<readonly string[]> = {
  default: DEFAULT_ALLOWED_HEADERS.join(", "),
  expected: "names of headers, comma-separated",
  parse: list((name) => (isHeaderName(name) ? name.toLowerCase() : undefined)),
  sentence:
    "Headers that pages of `CORS_ORIGIN` may send, comma-separated. A list of your own replaces this one: keep `authorization` and `content-type`.",
};

/** What keeps a text from being the address of an API, without a part of it. Undefined where nothing does. */
function wrongApiUrl(value: string): string | undefined {
  if (!URL.canParse(value)) return "no address at all";
  const { protocol, username, password, search, hash } = new URL(value);
  if (protocol !== "http:" && protocol !== "https:") return "another scheme, or none";
  // What is beside scheme, host and path would be in no request.
  if (username + password !== "") return "an address with a user or a password";
  return search + hash === "" ? undefined : "an address with a query or a fragment";
}

/** Lets a text pass of which `wrongWith` knows nothing wrong. */
function unless(wrongWith: (value: string) => string | undefined): z.ZodType<string, string> {
  return z.string().superRefine((value, context) => {
    const message = wrongWith(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

const ADDRESS = "an http:// or https:// address without a user, a query or a fragment";

export const tracesEndpoint: Variable<string | undefined> = {
  default: undefined,
  secret: true,
  expected: ADDRESS,
  parse: optional(unless(wrongApiUrl).transform((value) => value.replace(/\/+$/, ""))),
  sentence:
    "An OpenTelemetry collector, like `http://localhost:4318`: traces are exported to its `/v1/traces`, over OTLP/HTTP. Unset: there are none, and nothing of OpenTelemetry is loaded.",
};

export const tracesRatio: Variable<number> = {
  default: "1",
  expected: "a number from 0 to 1",
  parse: z
    .string()
    .regex(/^(?:0?\.\d+|[01](?:\.0+)?)$/)
    .transform(Number),
  sentence:
    "The part of the traces that begin here which is exported. Of a trace that begins elsewhere its `traceparent` decides.",
};

export const httpApiUrl: Variable<string | undefined> = {
  default: undefined,
  secret: true,
  expected: ADDRESS,
  parse: unless(wrongApiUrl).transform((value) => value.replace(/\/+$/, "")),
  sentence: "The REST API. Unset: the embedded development API is started, which `NODE_ENV=production` refuses.",
};

function wrongRedisUrl(value: string): string | undefined {
  try {
    parseRedisAddress(value);
    return undefined;
  } catch (error) {
    if (error instanceof RedisAddressError) return error.reason;
    throw error;
  }
}

export const redisUrl: Variable<string | undefined> = {
  default: undefined,
  secret: true,
  expected: "a redis:// or rediss:// address, hosts comma-separated",
  parse: optional(unless(wrongRedisUrl)),
  sentence:
    "Redis, which makes any number of gateways one; `rediss://` is TLS, several hosts, comma-separated, are a Redis Cluster's, as is `redis+cluster://host`, and `redis+sentinel://host,host/?name=mymaster` asks Sentinel. Unset: this process is alone.",
};

/** What Standard Webhooks asks of a secret. */
const MIN_SECRET_BYTES = 24;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function secretsOf(value: string): readonly string[] {
  return value.split(",").map((secret) => secret.trim());
}

function wrongSecrets(value: string): string | undefined {
  const keys = secretsOf(value).map((secret) => secret.replace(/^whsec_/, ""));
  if (keys.length > 2) return "more than two";
  if (!keys.every((key) => BASE64.test(key))) return "something that is not base64";
  const isShort = keys.some((key) => Buffer.from(key, "base64").length < MIN_SECRET_BYTES);
  return isShort ? `a secret of less than ${MIN_SECRET_BYTES} bytes` : undefined;
}

export const eventsSecrets: Variable<readonly string[] | undefined> = {
  default: undefined,
  secret: true,
  expected: "one Standard Webhooks secret or two, comma-separated: whsec_ and the base64 of at least 24 bytes",
  parse: optional(unless(wrongSecrets).transform(secretsOf)),
  sentence:
    "The secret with which the backend signs what it posts to `/events`, of at least 24 bytes; two, comma-separated, while it is being changed. Unset: the route answers 404.",
};

export const maxConnectionsPerAddress: Variable<number | undefined> = optionalWhole(
  1,
  10_000_000,
  "The same for each address (IPv6: each /64), on each instance. Unset: without limit, since all clients behind a proxy may share one.",
);

export const adminPort: Variable<number | undefined> = optionalWhole(
  0,
  65_535,
  "A listener of its own for `/metrics`, `/status`, `/users`, `/health` and `/ready`; 0 takes a free port. Unset: there is none.",
);
