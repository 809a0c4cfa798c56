/** Which pages may talk to the gateway. Browsers apply CORS to HTTP alone; a WebSocket's origin has to be looked at here. */
import type { Config } from "../../config/config.ts";

/**
 * Whether a request may come from `origin`. One without is from no browser, and one from `host`, the gateway's own, is GraphiQL.
 */
export function isAllowedOrigin(
  allowed: Config["CORS_ORIGIN"],
  origin: string | undefined,
  host: string | undefined,
): boolean {
  if (origin === undefined || allowed === "*" || allowed.includes(origin)) return true;
  return host !== undefined && isOwn(origin, host);
}

/** Browsers leave the port of a scheme's own out of the origin, and proxies put it into the host. */
function isOwn(origin: string, host: string): boolean {
  if (!URL.canParse(origin) || /[@/?#\\]/.test(host)) return false;
  const { protocol, host: originHost } = new URL(origin);
  const own = `${protocol}//${host}`;
  return originHost !== "" && URL.canParse(own) && new URL(own).host === originHost;
}
