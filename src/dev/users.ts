/** Users and their tokens. A token is worth what the database says, whatever it looks like. */
import { randomBytes, randomUUID } from "node:crypto";
import { undoable, type DemoUser, type NewUser, type TokenOptions, type Undoable } from "./data.ts";
import { sql, type Database } from "./database.ts";
import type { Announce } from "./events.ts";
import { idRow, profileRow, tokenRow, type Profile } from "./rows.ts";

/** Users, and the tokens by which the API knows them. */
export class Users {
  readonly #database: Database;
  readonly #announce: Announce;

  constructor(database: Database, announce: Announce) {
    this.#database = database;
    this.#announce = announce;
  }

  /** Whether there are any. */
  exist(): boolean {
    return this.#database.get(idRow, sql`select id from users limit 1`) !== undefined;
  }

  has(userId: string): boolean {
    return this.#database.get(idRow, sql`select id from users where id = ${userId}`) !== undefined;
  }

  create({ name, id = randomUUID(), token }: NewUser): DemoUser {
    const email = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, ".")}@example.com`;
    this.#database.run(sql`insert into users (id, name, email, role) values (${id}, ${name}, ${email}, 'user')`);
    return { id, name, email, token: this.issueToken(id, token === undefined ? {} : { token }) };
  }

  issueToken(userId: string, { token, expiresAt }: TokenOptions = {}): string {
    const expiry = expiresAt?.getTime() ?? null;
    const issued = token ?? (expiry === null ? opaqueToken() : jwt(userId, expiry));
    this.#database.run(sql`insert into tokens (token, userId, expiresAt) values (${issued}, ${userId}, ${expiry})`);
    return issued;
  }

  revokeToken(token: string): Undoable {
    const row = this.#database.get(
      tokenRow,
      sql`delete from tokens where token = ${token} returning userId, expiresAt`,
    );
    if (row === undefined) throw new Error("There is no such token.");
    const { userId, expiresAt } = row;
    return undoable(() =>
      this.issueToken(userId, { token, ...(expiresAt !== null && { expiresAt: new Date(expiresAt) }) }),
    );
  }

  signOut(userId: string): void {
    if (!this.has(userId)) throw new Error(`There is no user ${userId}.`);
    this.#database.run(sql`delete from tokens where userId = ${userId}`);
    this.#announce({ type: "user.signed_out", data: { userId } });
  }

  /** Whose token it is; undefined where it is unknown, revoked or expired. */
  profile(token: string): Profile | undefined {
    return this.#database.get(
      profileRow,
      sql`select users.id as userId, email, name, role from tokens join users on users.id = tokens.userId
          where token = ${token} and (expiresAt is null or expiresAt > ${Date.now()})`,
    );
  }
}

/** A token that says nothing. */
function opaqueToken(): string {
  return randomBytes(24).toString("base64url");
}

/** A token with the form of a JWT. Nobody verifies its signature: the API looks every token up. */
function jwt(userId: string, expiresAtMs: number): string {
  const claims = { sub: userId, exp: expiresAtMs / 1000, jti: randomUUID() };
  return `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.${randomBytes(32).toString("base64url")}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
