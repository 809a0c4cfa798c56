/** Names of web origins, hosts and headers: two texts that name the same compare equal once they are normalised. */

/** Schemes of their own, as apps have: `capacitor://localhost`, `tauri://localhost`, `chrome-extension://…`; `file://` has no host. */
const APP_ORIGIN = /^(?:file:\/\/|[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(?::\d{1,5})?)$/;

const WEB_ORIGIN = /^https?:\/\/[^\s/?#\\@*]+$/;

/** No origin of a page. */
const SOCKET_SCHEME = /^wss?:/;

/** A name or an address, IPv6 in brackets, and a port where one is given. */
const HOST = /^(?:\[[^\]\s]+\]|[^\s/?#\\@:*[\]]+)(?::\d{1,5})?$/;

/**
 * An origin in its one spelling: lower case, without the scheme's own port and without the final dot of a host, IPv6 compressed.
 * `null`, which sandboxed frames and some apps send, stays as it is. Undefined where the text is no origin.
 */
export function normaliseOrigin(text: string): string | undefined {
  const origin = text.toLowerCase();
  if (origin === "null") return origin;
  if (WEB_ORIGIN.test(origin)) return webOrigin(origin);
  return APP_ORIGIN.test(origin) && !/^https?:/.test(origin) && !SOCKET_SCHEME.test(origin) ? origin : undefined;
}

function webOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, origin } = new URL(text);
  const host = withoutFinalDot(hostname);
  if (host === "" || origin === "null") return undefined;
  return `${protocol}//${host}${port === "" ? "" : `:${port}`}`;
}

/** A host, and its port where one is named. */
export interface HostName {
  /** In its one spelling, as in {@link normaliseOrigin}. */
  readonly name: string;
  readonly port: string | undefined;
}

/** The parts of a `Host` header. Undefined where the text is no host. */
export function parseHost(text: string): HostName | undefined {
  if (!HOST.test(text)) return undefined;
  const port = /:(\d+)$/.exec(text)?.[1];
  // Of a scheme whose own port is kept: `URL` removes those of http and https.
  const address = `http://${text}`;
  if (!URL.canParse(address)) return undefined;
  const name = withoutFinalDot(new URL(address).hostname);
  return name === "" ? undefined : { name, port: port === undefined ? undefined : String(Number(port)) };
}

/** The name of a header field, RFC 9110, section 5.6.2. `*` is one, but allows not what it seems to: it never covers `Authorization`. */
export function isHeaderName(text: string): boolean {
  return text !== "*" && /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(text);
}

function withoutFinalDot(host: string): string {
  return host.endsWith(".") && !host.endsWith("..") ? host.slice(0, -1) : host;
}
