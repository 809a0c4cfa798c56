/** From what is learnt of chats to the subscriptions of this process to lists of chats. */
import type { MembershipListener } from "../chat/directory.ts";
import type { ChatDetails } from "../chat/events/chat-changed.ts";
import type { ChatList } from "../chat/chat-list.ts";
import type { Chat, User } from "../chat/model.ts";
import type { KnownChat, Session, Viewer } from "../chat/session.ts";
import { ChatListStream } from "./chat-list-stream.ts";
import type { Room } from "./room.ts";
import type { Subscribers } from "./subscriber.ts";

export class ChatListFanout implements MembershipListener {
  readonly #rooms: ReadonlyMap<string, Room>;
  readonly #toAll: ReadonlyMap<Session, Subscribers>;

  /**
   * @param rooms the chats that are listened to, by id.
   * @param toAll the subscriptions to all chats of a viewer, by session.
   */
  constructor(rooms: ReadonlyMap<string, Room>, toAll: ReadonlyMap<Session, Subscribers>) {
    this.#rooms = rooms;
    this.#toAll = toAll;
  }

  /** The fan-out tells its subscribers when they receive the chat's events, and when no more. */
  joined(): void {}

  left(): void {}

  membersChanged(chat: KnownChat): void {
    let members: readonly User[] | undefined;
    for (const list of this.#listsWith(chat.id)) {
      // One list of them for all: each of a thousand members may have a list of chats, with a thousand members in it.
      members ??= [...chat.participants.values()];
      list.membersChanged(chat.id, members);
    }
  }

  described(chatId: string, details: ChatDetails): void {
    for (const list of this.#listsWith(chatId)) list.described(chatId, details);
  }

  listed(viewer: Viewer, chats: readonly Chat[], askedAt: number): void {
    let answer: ChatList | undefined;
    for (const session of viewer.sessions) {
      for (const list of listsOf(this.#toAll.get(session))) {
        // Made once for all of them: a user may have a hundred lists of thousands of chats.
        answer ??= { chats: chats.map((chat) => ({ ...chat, isListed: true })), askedAt };
        list.listed(answer);
      }
    }
  }

  *#listsWith(chatId: string): Generator<ChatListStream> {
    for (const subscribers of this.#rooms.get(chatId)?.audience.values() ?? []) yield* listsOf(subscribers);
  }
}

function* listsOf(subscribers: Subscribers | undefined): Generator<ChatListStream> {
  for (const subscriber of subscribers?.of("chats.changed") ?? []) {
    if (subscriber instanceof ChatListStream) yield subscriber;
  }
}
