/** The parts of a request that come from clients, as HTTP can carry them. */
import { GatewayError } from "../errors.ts";

/** A token that no header carries, or none that servers take (8 KB a line in most), is no valid one, and nobody needs to be asked. */
export function requireBearer(token: string): void {
  if (!/^[\x21-\x7e]{1,8000}$/.test(token)) throw new GatewayError("UNAUTHENTICATED");
}

const MAX_ID_LENGTH = 512;

/**
 * @throws GatewayError NOT_FOUND for an id that no path can carry: empty, or only dots, which would name another resource however they are
 * escaped; not Unicode; or so long that it is no id.
 */
export function fillIn(template: string, ids: Readonly<Record<string, string>>): string {
  return template.replaceAll(/:(\w+)/g, (_parameter, name: string) => {
    const id = ids[name] ?? "";
    if (/^\.*$/.test(id) || !id.isWellFormed() || id.length > MAX_ID_LENGTH) throw new GatewayError("NOT_FOUND");
    return encodeURIComponent(id);
  });
}

/** A client may make its ids of anything; the header takes only some of it. */
export function headerValue(key: string): string {
  return /^[\x21-\x7e]+$/.test(key) ? key : encodeURIComponent(key.toWellFormed());
}
