/** What a request is for: RFC 9112, section 3.2. */
import type { IncomingMessage } from "node:http";

const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)(.*)$/i;

/** Gives a request with an absolute target, as clients of proxies send it, the path that it is for. The target's host replaces `Host`. */
export function useOriginForm(request: IncomingMessage): void {
  const [, host, path = ""] = ABSOLUTE_FORM.exec(request.url ?? "") ?? [];
  if (host === undefined) return;
  request.url = path.startsWith("/") ? path : `/${path}`;
  request.headers.host = host;
}

/** Whether a `Host` names a host, and a port where it has one, and nothing else. */
export function isAuthority(host: string): boolean {
  return !/[\s/?#\\@]/.test(host) && URL.canParse(`http://${host}`);
}

/** The path of a request in origin form. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}
