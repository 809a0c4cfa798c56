/** Whose presence is sent to whom: to the members of the chats that two people share, where those are not too large. */
import type { Directory } from "./directory.ts";
import type { User } from "./model.ts";
import type { KnownChat } from "./session.ts";

export class PresenceAudience {
  readonly #directory: Directory;
  readonly #maxMembers: number;

  /**
   * @param maxMembers in a chat with more members presence is no event, since each member's coming would be sent to all of the others:
   * it is answered where it is asked for.
   */
  constructor(directory: Directory, maxMembers: number) {
    this.#directory = directory;
    this.#maxMembers = maxMembers;
  }

  /** Whether the members of the chat are sent the presence of one another. */
  includes({ participants }: KnownChat): boolean {
    return participants.size <= this.#maxMembers;
  }

  /** The chats whose members are sent this user's presence. */
  *chatsOf(userId: string): Generator<KnownChat> {
    for (const chat of this.#directory.chatsOf(userId)) if (this.includes(chat)) yield chat;
  }

  /** Those whose presence is sent to a member of these chats, once each. */
  membersOf(chats: Iterable<KnownChat>): readonly User[] {
    const users = new Map<string, User>();
    for (const chat of chats) {
      if (this.includes(chat)) for (const user of chat.participants.values()) users.set(user.id, user);
    }
    return [...users.values()];
  }
}
