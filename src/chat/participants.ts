/** The participants of a chat that is known, and what an answer of the REST API makes of them. */
import type { User } from "./model.ts";
import type { KnownChat } from "./session.ts";

/** Whether these users, each of whom is there once, are the participants that are known. */
export function areSame(known: ReadonlyMap<string, User>, users: readonly User[]): boolean {
  return known.size === users.length && users.every(({ id }) => known.has(id));
}

/** Users by id. A user whose name is only the id keeps the name that is known. */
export function withNames(users: readonly User[], known?: ReadonlyMap<string, User>): ReadonlyMap<string, User> {
  return new Map(users.map((user) => [user.id, user.name === user.id ? (known?.get(user.id) ?? user) : user]));
}

/** Takes the names of the same members as before. Returns whether a name has changed. */
export function rename(chat: KnownChat, users: readonly User[]): boolean {
  if (users.every(({ id, name }) => name === id || chat.participants.get(id)?.name === name)) return false;
  chat.participants = withNames(users, chat.participants);
  return true;
}
