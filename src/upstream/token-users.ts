/** Whose each token is, as far as the REST API has said: a user's tokens share what one user may send at a time. */
import { hash } from "node:crypto";
import { createBoundedCache } from "../bounded-cache.ts";

const REMEMBERED = 50_000;

export class TokenUsers {
  /** By a hash: tokens are not kept. */
  readonly #users = createBoundedCache<string, string>({ max: REMEMBERED });

  learn(token: string, userId: string): void {
    this.#users.set(hashOf(token), `user ${userId}`);
  }

  /** What the requests of a token are counted for: its user, or the token itself where that is not known. */
  of(token: string): string {
    const tokenHash = hashOf(token);
    return this.#users.get(tokenHash) ?? tokenHash;
  }
}

function hashOf(token: string): string {
  return hash("sha256", token, "base64url");
}
