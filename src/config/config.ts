/**
 * The configuration: one table from which come the type, the start-up errors, `.env.example` and README's table
 * (`npm run codegen`). The only place that reads `process.env`.
 */
import { z } from "zod";
import { readEnvFile } from "./env-file.ts";
import { ConfigError, parseVariable } from "./parse.ts";
import {
  allowedHeaders,
  allowedHosts,
  choice,
  duration,
  adminPort,
  eventsSecrets,
  flag,
  httpApiUrl,
  maxConnectionsPerAddress,
  optional,
  origins,
  rate,
  redisUrl,
  text,
  tracesEndpoint,
  tracesRatio,
  whole,
  type Variable,
} from "./variables.ts";

export { ConfigError } from "./parse.ts";
export type { Rate } from "./variables.ts";

const VARIABLES = {
  PORT: whole(8080, 0, 65_535, "HTTP and WebSocket; 0 takes a free port."),
  HOST: {
    ...text<string | undefined>(undefined, "The address to listen on."),
    defaultText: "0.0.0.0; 127.0.0.1 with the embedded development API, whose demo tokens are public",
  },
  HTTP_API_URL: httpApiUrl,
  CORS_ORIGIN: origins,
  CORS_ALLOWED_HEADERS: allowedHeaders,
  ALLOWED_HOSTS: allowedHosts,
  EVENTS_SECRET: eventsSecrets,
  SESSION_RECHECK_INTERVAL: duration(
    60_000,
    "Milliseconds within which every token with an open connection, and its user's memberships, are asked about again.",
  ),
  TRUST_PROXY: whole(
    0,
    0,
    100,
    "How many proxies in front are believed in `X-Forwarded-For`; 0 believes none. The client's address is passed on to the REST API where it is not 0.",
  ),
  SESSION_RECHECK_BUDGET: whole(
    50,
    1,
    100_000,
    "Requests a second to the REST API for asking about tokens again; with more tokens than that allows `SESSION_RECHECK_INTERVAL` stretches. A fifth of it with `EVENTS_SECRET`, since the backend then says what has changed.",
  ),
  KEEP_ALIVE_TIMEOUT: duration(
    75_000,
    "Milliseconds that an HTTP connection stays open without a request: longer than the load balancer in front keeps it.",
  ),
  HEARTBEAT_INTERVAL: duration(
    30_000,
    "Milliseconds between pings; a socket that does not answer one by the next is dropped.",
  ),
  CONNECTION_INIT_TIMEOUT: duration(10_000, "Milliseconds that a socket has to send `connection_init`."),
  TYPING_TIMEOUT: duration(3000, "Milliseconds after which a typing indicator stops by itself."),
  MAX_MESSAGE_SIZE: whole(10_000, 1, 1_000_000, "Bytes of a message's content."),
  MAX_PAYLOAD_SIZE: whole(65_536, 1024, 16_777_216, "Bytes of one request, HTTP or WebSocket."),
  MAX_SUBSCRIPTIONS: whole(100, 1, 100_000, "Subscriptions on one connection."),
  MAX_SEND_BUFFER: whole(
    262_144,
    16_384,
    1_073_741_824,
    "Bytes that may wait for one WebSocket client to read; it is sent no events beyond that, and caught up when it reads again.",
  ),
  COMPRESSION: flag(
    false,
    "Offers `permessage-deflate` to WebSocket clients: less traffic, more processor time and memory.",
  ),
  MAX_CONNECTIONS: whole(
    50_000,
    1,
    10_000_000,
    "Connections of this process, WebSocket and SSE together; more are closed with 1013, or answered with 503. A fifth is for clients whose user is known.",
  ),
  MAX_CONNECTIONS_PER_USER: whole(50, 1, 10_000_000, "The same for each user, on each instance."),
  MAX_CONNECTIONS_PER_ADDRESS: maxConnectionsPerAddress,
  REQUEST_TIMEOUT: duration(
    15_000,
    "Milliseconds that the headers and the body of a request, or of an upgrade, may take to arrive; the connection is cut then.",
    100,
  ),
  HTTP_API_ADAPTER: text<string | undefined>(
    undefined,
    "A module that adapts a REST API of another shape, from the working directory on, like `./my-adapter.ts`: see docs/BACKEND.md.",
  ),
  HTTP_API_TIMEOUT: duration(10_000, "Milliseconds that one request to the REST API may take."),
  HTTP_API_RETRIES: whole(3, 1, 10, "Attempts of one request to the REST API, the first included."),
  HTTP_API_IDEMPOTENT: flag(
    false,
    "Whether the REST API honours `Idempotency-Key`, so that a POST may be repeated after any failure.",
  ),
  HTTP_API_MAX_RESPONSE: whole(
    5_000_000,
    1000,
    1_000_000_000,
    "Bytes of one answer of the REST API; a larger one is refused, and the log names this variable.",
  ),
  REDIS_URL: redisUrl,
  REDIS_PREFIX: {
    default: "chat:",
    expected: "text without white space or braces",
    parse: z.string().regex(/^[^\s{}]+$/),
    sentence: "Beginning of every key and channel in Redis: gateways with different ones know nothing of each other.",
  },
  PRESENCE_TTL: duration(
    30_000,
    "Milliseconds within which the users of an instance that has died without a word are offline.",
    1000,
  ),
  PRESENCE_GRACE: duration(
    5000,
    "Milliseconds that a user without a connection stays online, so that a page reload is no event.",
    0,
  ),
  PRESENCE_MAX_MEMBERS: whole(
    200,
    0,
    1_000_000,
    "Members of a chat up to which they are sent the presence of one another; in larger ones it is answered on request alone.",
  ),
  RESUME_WINDOW: duration(
    120_000,
    "Milliseconds within which a client that lost its connection gets what it missed when it comes back.",
  ),
  REPLAY_LIMIT: whole(
    1000,
    1,
    100_000,
    "Events that a client is given at most of what it missed; beyond that it gets `CURSOR_EXPIRED`.",
  ),
  DRAIN_WINDOW: whole(5000, 0, 600_000, "Milliseconds over which a stopping gateway lets its clients go."),
  RATE_LIMIT_MESSAGES: rate("20/10s", "`sendMessage` per user, over all instances."),
  RATE_LIMIT_OPERATIONS: rate(
    "300/10s",
    "Operations per user, over all instances and transports: each root field counts one, aliases too, and so do every ten requests that an operation causes at the REST API.",
  ),
  RATE_LIMIT_FAILED_AUTH: rate(
    "100/10s",
    "Refused tokens per address (IPv6: per /64), over all instances, transports and `refreshToken`; beyond it unknown tokens are refused without asking the REST API. Known ones are not affected.",
  ),
  ADMIN_PORT: adminPort,
  ADMIN_HOST: text("127.0.0.1", "The address that it listens on."),
  ADMIN_TOKEN: {
    default: undefined,
    secret: true,
    expected: "text without white space",
    parse: optional(z.string().regex(/^\S+$/)),
    sentence:
      "The token that everything on it but `/metrics`, `/health` and `/ready` needs: `Authorization: Bearer …`, or the password of a browser's prompt. Unset: the rest is refused.",
  },
  TRUSTED_DOCUMENTS: text<string | undefined>(
    undefined,
    "A JSON file of hashes and documents, as codegen's client-preset writes it to persisted-documents.json: nothing else is executed, over any transport. Unset: every document is.",
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: tracesEndpoint,
  OTEL_TRACES_SAMPLER_ARG: tracesRatio,
  LOG_LEVEL: choice(
    ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
    "info",
    "JSON lines; readable ones on a terminal.",
  ),
  GRAPHIQL: flag(undefined, "Serves GraphiQL to browsers.", "on outside production"),
  INTROSPECTION: flag(undefined, "Answers introspection.", "on outside production"),
  DEV_API_PORT: whole(0, 0, 65_535, "Where the embedded development API listens; 0 takes a free port."),
  DEV_API_FILE: text(
    "data/development.sqlite",
    "The file of the embedded development API's data; `:memory:` keeps none.",
  ),
  NODE_ENV: choice(
    ["development", "test", "production"],
    "development",
    "`production` switches GraphiQL, introspection and the embedded development API off.",
  ),
} satisfies Record<string, Variable<unknown>>;

/** The name of a variable. */
export type VariableName = keyof typeof VARIABLES;

type Values = { readonly [Name in keyof typeof VARIABLES]: z.output<(typeof VARIABLES)[Name]["parse"]> };

/** Everything that can be configured: the variables of the table, with what depends on others worked out. Durations in ms. */
export type Config = Readonly<
  Omit<Values, "HOST" | "GRAPHIQL" | "INTROSPECTION" | "NODE_ENV" | "HTTP_API_URL"> & {
    HOST: string;
    /** Undefined: the embedded development API is to be started. */
    HTTP_API_URL: string | undefined;
    GRAPHIQL: boolean;
    INTROSPECTION: boolean;
    production: boolean;
  }
>;

/** On or off where nothing is given, depending on the rest. */
type Switch = "GRAPHIQL" | "INTROSPECTION";

/**
 * Reads a configuration from variables; empty ones count as unset.
 *
 * @throws ConfigError that names every wrong variable, what was given and what is allowed.
 */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each entry is what the table's parser made of it
  const values = Object.fromEntries(
    Object.entries(VARIABLES).map(([name, variable]) => [
      name,
      parseVariable(name, variable, environment[name]?.trim() || undefined, problems),
    ]),
  ) as unknown as Omit<Values, Switch> & Record<Switch, boolean | undefined>;
  const { NODE_ENV, HOST, GRAPHIQL, INTROSPECTION, ...rest } = values;
  const production = NODE_ENV === "production";
  if (production && !environment["HTTP_API_URL"]?.trim()) {
    problems.push(
      "HTTP_API_URL: expected the address of the REST API, got nothing: with NODE_ENV=production the embedded development API is not started, since its tokens are public",
    );
  }
  if (values.HTTP_API_ADAPTER !== undefined && !environment["HTTP_API_URL"]?.trim()) {
    problems.push("HTTP_API_URL: expected the address of the API that HTTP_API_ADAPTER adapts, got nothing");
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return Object.freeze({
    ...rest,
    production,
    HOST: HOST ?? (values.HTTP_API_URL === undefined ? "127.0.0.1" : "0.0.0.0"),
    GRAPHIQL: GRAPHIQL ?? !production,
    INTROSPECTION: INTROSPECTION ?? !production,
  });
}

/**
 * Reads the process's environment, with `.env` of the working directory under it where there is one.
 *
 * @throws ConfigError
 */
export function readConfig(): Config {
  for (const [name, value] of Object.entries(readEnvFile(".env"))) process.env[name] ??= value;
  return parseConfig(process.env);
}

/** Whether `npm start`, `npm run` or `npx` started this process. */
export function isRunByNpm(): boolean {
  return process.env["npm_command"] !== undefined;
}

/** What an operator may see: of what may hold a secret, whether it is set. */
export function shownConfig(config: Config): Readonly<Record<string, unknown>> {
  const secrets = new Set(
    Object.entries<Variable<unknown>>(VARIABLES).flatMap(([name, { secret }]) => (secret ? [name] : [])),
  );
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name,
      !secrets.has(name) ? (value ?? null) : value === undefined ? "unset" : "set",
    ]),
  );
}

/** The table as the documentation shows it. */
export const CONFIG_TABLE: readonly (Pick<Variable<unknown>, "default" | "expected" | "sentence"> & {
  name: string;
  shownDefault: string;
})[] = Object.entries<Variable<unknown>>(VARIABLES).map(([name, variable]) => ({
  name,
  default: variable.default,
  shownDefault: variable.defaultText ?? variable.default ?? "none",
  expected: variable.expected,
  sentence: variable.sentence,
}));
