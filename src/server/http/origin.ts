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
  return URL.canParse(origin) && new URL(origin).host === host;
}
