/**
 * Which pages and hosts requests may come by. Browsers apply CORS to HTTP alone: the origin of a WebSocket has to be checked here. A page
 * whose name was made to resolve to the gateway (DNS rebinding) has the gateway's own origin: only a list of hosts keeps it out.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Config } from "../../config/config.ts";
import { normaliseOrigin, parseHost, type HostName } from "../../config/web-names.ts";
import { EACH, type Log } from "../../log.ts";

/** Refusals that are logged, each once: anybody can send any origin. */
const MAX_REPORTS = 100;
const MAX_REPORTED_CHARACTERS = 200;

export class RequestPolicy {
  readonly #origins: Config["CORS_ORIGIN"];
  readonly #hosts: Config["ALLOWED_HOSTS"];
  readonly #allowsLoopback: boolean;
  readonly #log: Log;
  readonly #reported = new Set<string>();

  /** @param allowsLoopback whether pages of this machine may come, from whatever port: a frontend under development. */
  constructor(
    { CORS_ORIGIN, ALLOWED_HOSTS }: Pick<Config, "ALLOWED_HOSTS" | "CORS_ORIGIN">,
    log: Log,
    allowsLoopback = false,
  ) {
    this.#allowsLoopback = allowsLoopback;
    this.#origins = CORS_ORIGIN;
    this.#hosts = ALLOWED_HOSTS;
    this.#log = log;
  }

  /** Whether the page that sends a request may read the answer. A request without `Origin` is from no page. */
  allowsOrigin({ origin, host }: Pick<IncomingHttpHeaders, "host" | "origin">): boolean {
    if (origin === undefined || this.#origins === "*") return true;
    const normalised = normaliseOrigin(origin);
    if (normalised !== undefined && this.#allows(normalised, host)) return true;
    this.#report("origin", origin, "a page's origin is refused: if the page is yours, add its origin to CORS_ORIGIN");
    return false;
  }

  #allows(origin: string, host: string | undefined): boolean {
    return this.#origins.includes(origin) || isOwn(origin, host) || (this.#allowsLoopback && isLoopback(origin));
  }

  /** Whether `ALLOWED_HOSTS`, where it is set, has the host that a request is for. */
  allowsHost({ host = "" }: Pick<IncomingHttpHeaders, "host">): boolean {
    if (this.#hosts === undefined) return true;
    const asked = parseHost(host);
    if (asked && this.#hosts.some((allowed) => covers(allowed, asked))) return true;
    this.#report("host", host, "a request's Host is refused: if the name is yours, add it to ALLOWED_HOSTS");
    return false;
  }

  #report(kind: "host" | "origin", value: string, message: string): void {
    const shown = value.slice(0, MAX_REPORTED_CHARACTERS);
    const key = `${kind} ${shown}`;
    if (this.#reported.size >= MAX_REPORTS || this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#log.warn({ [kind]: shown, [EACH]: true }, message);
  }
}

/** Whether a page was loaded from this machine, as far as its origin tells: RFC 6761 reserves the name `localhost` and those below it. */
function isLoopback(origin: string): boolean {
  const authority = /^https?:\/\/(.+)$/.exec(origin)?.[1];
  const name = authority === undefined ? undefined : parseHost(authority)?.name;
  return (
    name !== undefined && (/^(.+\.)?localhost$/.test(name) || /^127(\.\d{1,3}){3}$/.test(name) || name === "[::1]")
  );
}

/** Whether a page was loaded from `host`. A proxy in front may be what speaks TLS, so that the scheme is the page's own. */
function isOwn(origin: string, host: string | undefined): boolean {
  const [, scheme, authority] = /^(https?):\/\/(.+)$/.exec(origin) ?? [];
  const page = authority === undefined ? undefined : parseHost(authority);
  const own = host === undefined ? undefined : parseHost(host);
  if (!page || !own) return false;
  const defaultPort = scheme === "https" ? "443" : "80";
  return page.name === own.name && (page.port ?? defaultPort) === (own.port ?? defaultPort);
}

/** A host that is allowed without a port is allowed with each. */
function covers(allowed: HostName, asked: HostName): boolean {
  return allowed.name === asked.name && (allowed.port === undefined || allowed.port === asked.port);
}
