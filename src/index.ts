/** What `graphql-chat-gateway` exports: a gateway as a value, for programs that embed one. */
import { ConfigError, parseConfig, readConfig, type Config, type VariableName } from "./config/config.ts";
import { createGateway as createConfigured, type Gateway, type Overrides } from "./gateway.ts";
import type { Log } from "./log.ts";
import type { Adapter } from "./upstream/adapter/adapter.ts";

/** The address of an API that an adapter reaches without HTTP. */
const NO_API = "http://api.invalid";

/** What a variable of the environment may be given as in code. A list is what a comma separates there. */
export type Setting = string | number | boolean | readonly string[] | undefined;

/** Variables of the configuration, by their names. What is absent has its default: the environment is not read. */
export type Settings = { readonly [Name in VariableName]?: Setting };

export interface GatewayOptions extends Settings {
  /** An adapter made by `defineAdapter`. With one that does without HTTP, HTTP_API_URL may be absent. */
  readonly api?: Adapter | undefined;
  /** Where log lines go: a pino logger. JSON lines on standard output where absent. */
  readonly log?: Log | undefined;
  /** Whether the embedded development API is started where there is neither HTTP_API_URL nor `api`. */
  readonly devApi?: boolean | undefined;
}

/**
 * Starts a gateway. Any number of them may run in one process. Rejects where it cannot start, with nothing left running.
 *
 * @example
 * await using gateway = await createGateway({ HTTP_API_URL: "https://api.example.com", PORT: 0 });
 *
 * @param options settings, or a configuration that `readConfig` has read.
 * @throws ConfigError that names every wrong setting, what was given and what is allowed.
 */
export async function createGateway(
  options: GatewayOptions | (Config & Pick<GatewayOptions, "api" | "log" | "devApi">),
  overrides: Pick<Overrides, "api" | "log"> = {},
): Promise<Gateway> {
  const [api, log] = [overrides.api ?? options.api, overrides.log ?? options.log];
  const config = isConfig(options) ? options : parseConfig(asText(options, api));
  if (config.HTTP_API_URL === undefined && api === undefined && options.devApi !== true) {
    throw new ConfigError(
      "HTTP_API_URL: expected the address of the REST API, got nothing: `devApi: true` starts the embedded development API",
    );
  }
  return createConfigured(config, { ...(api && { api }), ...(log && { log }) });
}

function isConfig<Given extends object>(options: Given): options is Given & Config {
  return "production" in options;
}

function asText(settings: Settings, api: Adapter | undefined): Record<string, string> {
  const given = Object.entries(settings).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    if (Array.isArray(value)) return [[name, value.join(",")]];
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
      ? [[name, String(value)]]
      : [];
  });
  return { ...(api && { HTTP_API_URL: NO_API }), ...Object.fromEntries(given) };
}

export { ConfigError, readConfig };
export type { Adapter, Config, Gateway, Log, VariableName };
export type { DevApi } from "./dev/api.ts";
