import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { CONFIG_TABLE, ConfigError, parseConfig, type Config } from "../../src/config/config.ts";

/** What is wrong with an environment, in the words that its operator reads. */
function complaint(environment: Readonly<Record<string, string>>): string {
  try {
    parseConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the environment was taken");
}

const DURATION = "a whole number from 1 to 2147483647";
const FLAG = "true or false (on or off, 1 or 0)";
const LEVELS = "one of fatal, error, warn, info, debug, trace, silent";
const ORIGINS = "origins like https://chat.example.com, comma-separated, or *";
const RATE = "a count and a time, like 20/10s (units: ms, s, m; at most 24 days)";
const ADDRESS = "an http:// or https:// address without a user, a query or a fragment";

const SECRETS = "one Standard Webhooks secret or two, comma-separated: whsec_ and the base64 of at least 24 bytes";
const KEY = Buffer.alloc(24, "k").toString("base64");
const SECRET = `whsec_${KEY}`;
const SHORT = `whsec_${Buffer.alloc(23, "k").toString("base64")}`;

/** Name, what is allowed, what is given. */
const WRONG: readonly (readonly [name: string, allowed: string, given: readonly string[]])[] = [
  ["PORT", "a whole number from 0 to 65535", ["http", "-1", "65536", "80.5", "0x50", "1e3", "8 0", "Infinity"]],
  ["DEV_API_PORT", "a whole number from 0 to 65535", ["65536"]],
  ["SESSION_RECHECK_INTERVAL", DURATION, ["0", "1m"]],
  ["HEARTBEAT_INTERVAL", DURATION, ["0", "30s", "2147483648", "-5", "99999999999999999999"]],
  ["CONNECTION_INIT_TIMEOUT", DURATION, ["0"]],
  ["TYPING_TIMEOUT", DURATION, ["3,000"]],
  ["HTTP_API_TIMEOUT", DURATION, ["10.0"]],
  ["PRESENCE_GRACE", "a whole number from 0 to 2147483647", ["-1"]],
  ["RESUME_WINDOW", "a whole number from 1 to 2147483647", ["0"]],
  ["REPLAY_LIMIT", "a whole number from 1 to 100000", ["0", "100001"]],
  ["PRESENCE_TTL", "a whole number from 1000 to 2147483647", ["0", "999", "30s"]],
  ["PRESENCE_MAX_MEMBERS", "a whole number from 0 to 1000000", ["-1", "many"]],
  ["REDIS_PREFIX", "text without white space or braces", ["a b", "{a}", "a}"]],
  ["DRAIN_WINDOW", "a whole number from 0 to 600000", ["600001", "5s"]],
  ["MAX_MESSAGE_SIZE", "a whole number from 1 to 1000000", ["0", "10k"]],
  ["MAX_PAYLOAD_SIZE", "a whole number from 1024 to 16777216", ["1023", "16777217"]],
  ["MAX_SUBSCRIPTIONS", "a whole number from 1 to 100000", ["0"]],
  ["MAX_SEND_BUFFER", "a whole number from 16384 to 1073741824", ["0", "1MB"]],
  ["COMPRESSION", FLAG, ["gzip"]],
  ["ADMIN_PORT", "a whole number from 0 to 65535", ["http", "-1", "65536"]],
  ["MAX_CONNECTIONS", "a whole number from 1 to 10000000", ["many"]],
  ["MAX_CONNECTIONS_PER_USER", "a whole number from 1 to 10000000", ["0", "many"]],
  ["MAX_CONNECTIONS_PER_ADDRESS", "a whole number from 1 to 10000000", ["0", "none"]],
  ["REQUEST_TIMEOUT", "a whole number from 100 to 2147483647", ["99", "15s"]],
  ["KEEP_ALIVE_TIMEOUT", DURATION, ["0", "75s"]],
  ["TRUST_PROXY", "a whole number from 0 to 100", ["-1", "true"]],
  ["SESSION_RECHECK_BUDGET", "a whole number from 1 to 100000", ["0", "50/s"]],
  ["HTTP_API_MAX_RESPONSE", "a whole number from 1000 to 1000000000", ["0", "5MB"]],
  ["HTTP_API_RETRIES", "a whole number from 1 to 10", ["0", "11"]],
  ["HTTP_API_IDEMPOTENT", FLAG, ["yes", "TRUE"]],
  ["GRAPHIQL", FLAG, ["enabled"]],
  ["INTROSPECTION", FLAG, ["2"]],
  ["LOG_LEVEL", LEVELS, ["verbose", "INFO", "30"]],
  [
    "CORS_ORIGIN",
    ORIGINS,
    [
      "chat.example.com",
      "https://a.example/",
      "https://a.example/path",
      "*,https://a.example",
      "https://a.example,",
      "wss://a.example",
      "https://*.a.example",
      "https://u@a.example",
      "capacitor://localhost/",
      "capacitor:localhost",
    ],
  ],
  ["CORS_ALLOWED_HEADERS", "names of headers, comma-separated", ["*", "authorization,", "content type", "a:b"]],
  [
    "ALLOWED_HOSTS",
    "hosts like chat.example.com or chat.example.com:8443, comma-separated",
    [
      "https://chat.example.com",
      "chat.example.com/",
      "a.example,",
      "*",
      "*.a.example",
      "u@a.example",
      "a.example:x",
      "::1",
    ],
  ],
  [
    "RATE_LIMIT_MESSAGES",
    RATE,
    ["20", "20/", "20/10", "0/10s", "20/0s", "20/10h", "-1/1s", "20 / 10s", "1.5/1s", "1/36000m"],
  ],
  ["RATE_LIMIT_OPERATIONS", RATE, ["300", "0/10s"]],
  ["RATE_LIMIT_FAILED_AUTH", RATE, ["none", "100"]],
  ["OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1", ["-0.1", "1.1", "10%", "."]],
];

/** What is given may hold a secret; instead of it is said what is wrong. Those of REDIS_URL are in redis-address.test.ts. */
const WRONG_SECRETS: readonly (readonly [name: string, allowed: string, said: string, given: readonly string[]])[] = [
  ["ADMIN_TOKEN", "text without white space", "something else", ["two words", "a\ttab"]],
  ["HTTP_API_URL", ADDRESS, "no address at all", ["api.example.com", "https://"]],
  ["HTTP_API_URL", ADDRESS, "another scheme, or none", ["localhost:3000", "ftp://api.example.com"]],
  [
    "HTTP_API_URL",
    ADDRESS,
    "an address with a user or a password",
    ["https://u@a.example", "https://:p@a.example?b=c"],
  ],
  ["HTTP_API_URL", ADDRESS, "an address with a query or a fragment", ["https://a.example?b=c", "https://a.example#b"]],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", ADDRESS, "another scheme, or none", ["localhost:4317", "grpc://localhost:4317"]],
  ["REDIS_URL", "a redis:// or rediss:// address, hosts comma-separated", "another scheme", ["localhost:6379"]],
  [
    "EVENTS_SECRET",
    SECRETS,
    "something that is not base64",
    ["not base64", "whsec_abc", `${SECRET}, whsec_ab=c`, "whsec_ab-_", `WHSEC_${KEY}`, `${SECRET};${SECRET}`],
  ],
  [
    "EVENTS_SECRET",
    SECRETS,
    "a secret of less than 24 bytes",
    ["whsec_", "whsec_YQ==", SHORT, `${SECRET},${SHORT}`, `${SECRET},`],
  ],
  ["EVENTS_SECRET", SECRETS, "more than two", [`${SECRET},${SECRET},${SECRET}`]],
];

describe("a wrong value that may hold a secret is named, without what was given", () => {
  test.each(
    WRONG_SECRETS.flatMap(([name, allowed, said, given]) =>
      given.map((value) => [name, value, allowed, said] as const),
    ),
  )("%s=%s", (name, value, allowed, said) => {
    expect(complaint({ [name]: value })).toBe(`${name}: expected ${allowed}, got ${said}`);
  });
});

test.each([
  [SECRET, [SECRET]],
  [KEY, [KEY]],
  [` ${SECRET} ,\t${KEY} `, [SECRET, KEY]],
])("EVENTS_SECRET=%s will do", (given, secrets) => {
  expect(parseConfig({ EVENTS_SECRET: given }).EVENTS_SECRET).toEqual(secrets);
  for (const secret of secrets) expect(() => new Webhook(secret)).not.toThrow();
});

describe("a wrong value is named, with what was given and what is allowed", () => {
  test.each(WRONG.flatMap(([name, allowed, given]) => given.map((value) => [name, value, allowed] as const)))(
    "%s=%s",
    (name, value, allowed) => {
      expect(complaint({ [name]: value })).toBe(`${name}: expected ${allowed}, got ${JSON.stringify(value)}`);
    },
  );
});

test("every variable that not any text will do for has a wrong value above", () => {
  const anyText = ["HOST", "ADMIN_HOST", "DEV_API_FILE", "HTTP_API_ADAPTER", "NODE_ENV", "TRUSTED_DOCUMENTS"];
  const named = new Set([...[...WRONG, ...WRONG_SECRETS].map(([name]) => name), ...anyText]);
  expect([...named].toSorted()).toEqual(CONFIG_TABLE.map(({ name }) => name).toSorted());
});

test("several wrong values are all named, a line each", () => {
  const lines = complaint({ PORT: "x", LOG_LEVEL: "y", NODE_ENV: "production", GRAPHIQL: "z", HOST: "h" }).split("\n");
  expect(lines.map((line) => line.split(":")[0])).toEqual(["PORT", "LOG_LEVEL", "GRAPHIQL", "HTTP_API_URL"]);
});

test.each(["", " ", "\t\n"])("a variable with nothing but white space in it (%j) counts as unset", (nothing) => {
  const unset = Object.fromEntries(CONFIG_TABLE.map(({ name }) => [name, nothing]));
  expect(parseConfig(unset)).toEqual(parseConfig({}));
});

test("white space around a value does not belong to it", () => {
  expect(parseConfig({ PORT: " 81 ", LOG_LEVEL: "debug\r" })).toMatchObject({ PORT: 81, LOG_LEVEL: "debug" });
});

test.each([
  ["unset", {}],
  ["empty", { HTTP_API_URL: "" }],
  ["white space", { HTTP_API_URL: " " }],
])("production without the REST API's address (%s) is refused: the demo tokens are public", (_case, environment) => {
  expect(complaint({ NODE_ENV: "production", ...environment })).toBe(
    "HTTP_API_URL: expected the address of the REST API, got nothing: with NODE_ENV=production the embedded development API is not started, since its tokens are public",
  );
});

test("in production a wrong address of the REST API is complained of once", () => {
  expect(complaint({ NODE_ENV: "production", HTTP_API_URL: "api" })).toBe(
    `HTTP_API_URL: expected ${ADDRESS}, got no address at all`,
  );
});

test.each<[Record<string, string>, Partial<Config>]>([
  [{}, { GRAPHIQL: true, INTROSPECTION: true, production: false }],
  [{ NODE_ENV: "test" }, { GRAPHIQL: true, INTROSPECTION: true, production: false }],
  [{ GRAPHIQL: "false" }, { GRAPHIQL: false, INTROSPECTION: true }],
  [{ NODE_ENV: "production" }, { GRAPHIQL: false, INTROSPECTION: false, production: true }],
  [
    { NODE_ENV: "production", GRAPHIQL: "true" },
    { GRAPHIQL: true, INTROSPECTION: false },
  ],
  [
    { NODE_ENV: "production", INTROSPECTION: "true" },
    { GRAPHIQL: false, INTROSPECTION: true },
  ],
])("GraphiQL and introspection are on outside production, unless said otherwise: %j", (environment, expected) => {
  expect(parseConfig({ HTTP_API_URL: "http://api.example", ...environment })).toMatchObject(expected);
});

test.each([
  [{}, "127.0.0.1"],
  [{ HTTP_API_URL: "" }, "127.0.0.1"],
  [{ HTTP_API_URL: "http://api.example" }, "0.0.0.0"],
  [{ HOST: "::1" }, "::1"],
  [{ HOST: "::", HTTP_API_URL: "http://api.example" }, "::"],
])("only a gateway with a REST API of its own listens to other machines unasked: %j", (environment, host) => {
  expect(parseConfig(environment).HOST).toBe(host);
});

test.each([
  ["http://localhost:5173", ["http://localhost:5173"]],
  ["https://a.example,https://b.example:8443", ["https://a.example", "https://b.example:8443"]],
  [" https://a.example ,\thttps://b.example ", ["https://a.example", "https://b.example"]],
  ["http://[::1]:3000", ["http://[::1]:3000"]],
  ["HTTPS://Chat.Example.COM:443,http://[0:0::1]:80", ["https://chat.example.com", "http://[::1]"]],
  ["http://tauri.localhost, null, file://", ["http://tauri.localhost", "null", "file://"]],
  ["*", "*"],
])("CORS_ORIGIN=%s", (given, origins) => {
  expect(parseConfig({ CORS_ORIGIN: given }).CORS_ORIGIN).toEqual(origins);
});

test.each([
  ["20/10s", { count: 20, windowMs: 10_000 }],
  ["1/250ms", { count: 1, windowMs: 250 }],
  ["300/5m", { count: 300, windowMs: 300_000 }],
  ["1/34560m", { count: 1, windowMs: 2_073_600_000 }],
])("RATE_LIMIT_MESSAGES=%s", (given, rate) => {
  expect(parseConfig({ RATE_LIMIT_MESSAGES: given }).RATE_LIMIT_MESSAGES).toEqual(rate);
});

test.each([
  ["http://api.example", "http://api.example"],
  ["https://api.example:8443/v1/", "https://api.example:8443/v1"],
  ["http://api.example//", "http://api.example"],
])("a slash at the end of HTTP_API_URL=%s does not matter", (given, address) => {
  expect(parseConfig({ HTTP_API_URL: given }).HTTP_API_URL).toBe(address);
});

test.each([
  ["PORT", "0", 0],
  ["PORT", "65535", 65_535],
  ["DRAIN_WINDOW", "0", 0],
  ["PRESENCE_GRACE", "0", 0],
  ["HTTP_API_TIMEOUT", "2147483647", 2_147_483_647],
] as const)("the ends of a range belong to it: %s=%s", (name, given, value) => {
  expect(parseConfig({ [name]: given })[name]).toBe(value);
});

test("nobody changes a configuration", () => {
  expect(Object.isFrozen(parseConfig({}))).toBe(true);
});

test("CORS_ORIGIN takes the schemes of apps", () => {
  const given = "capacitor://localhost,ionic://localhost,tauri://localhost,app://-,https://chat.example.com";
  expect(parseConfig({ CORS_ORIGIN: given }).CORS_ORIGIN).toEqual(given.split(","));
});

test("HTTP_API_ADAPTER needs the address of the API that it adapts", () => {
  expect(complaint({ HTTP_API_ADAPTER: "./a.ts" })).toBe(
    "HTTP_API_URL: expected the address of the API that HTTP_API_ADAPTER adapts, got nothing",
  );
});

test.each([
  ["true", true],
  ["on", true],
  ["1", true],
  ["false", false],
  ["off", false],
  ["0", false],
])("%s switches", (given, expected) => {
  expect(parseConfig({ HTTP_API_IDEMPOTENT: given }).HTTP_API_IDEMPOTENT).toBe(expected);
});
