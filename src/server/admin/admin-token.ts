/** Who may see and do what on the admin listener. */
import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { answer } from "../http/answer.ts";

export class AdminToken {
  /** Undefined: nobody may. */
  readonly #digest: Buffer | undefined;

  constructor(token: string | undefined) {
    this.#digest = token === undefined ? undefined : digestOf(token);
  }

  /** Whether a request brings the token; answers it where it does not. */
  admits({ headers }: IncomingMessage, response: ServerResponse): boolean {
    if (!this.#digest) {
      answer(response, 403, { error: "ADMIN_TOKEN is not set." });
      return false;
    }
    const given = tokenOf(headers.authorization);
    // Digests have one length, so the time of the comparison tells nothing.
    if (given !== undefined && timingSafeEqual(digestOf(given), this.#digest)) return true;
    // A browser asks for a password with the second one.
    response.setHeader("www-authenticate", ["Bearer", 'Basic realm="chat gateway", charset="UTF-8"']);
    answer(response, 401, { error: "The token is missing or wrong." });
    return false;
  }
}

/** As a bearer token, or as the password of any user. */
function tokenOf(authorization: string | undefined): string | undefined {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+) *$/i.exec(authorization ?? "") ?? [];
  if (scheme === undefined || value === undefined) return undefined;
  if (scheme.toLowerCase() === "bearer") return value;
  const pair = Buffer.from(value, "base64").toString();
  return pair.slice(pair.indexOf(":") + 1);
}

function digestOf(token: string): Buffer {
  return hash("sha256", token, "buffer");
}
