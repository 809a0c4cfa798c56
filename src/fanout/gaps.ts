/** What a chat's listeners on this process have not heard: it is put in where it belongs, while what is newer is held. */
import { whereReachable, type Bus } from "../bus/bus.ts";
import { parsePosition, type Position } from "../bus/position.ts";
import { PUBLICATION_MARGIN_MS } from "../chat/cursor.ts";
import {
  chatTopic,
  idOf,
  isChatEvent,
  placed,
  type BusEvent,
  type ChatEvent,
  type MessageCreated,
} from "../chat/events.ts";
import type { History } from "../chat/history.ts";
import type { Message } from "../chat/model.ts";
import { isCreatedSince, readMessages } from "../recovery/history-and-log.ts";
import type { Room } from "./room.ts";

/** How long an instance may have been cut off whose messages are looked for beyond the margin: created long before they are published. */
const LATE_MS = 60_000;

interface GapsOptions {
  readonly bus: Pick<Bus<BusEvent>, "log">;
  readonly history: Pick<History, "select">;
  /** Messages that are fetched for a chat at most when the log has lost them. */
  readonly replayLimit: number;
}

export class Gaps {
  readonly #options: GapsOptions;
  readonly #serve: (room: Room, event: ChatEvent, position: Position | undefined) => void;

  constructor(options: GapsOptions, serve: (room: Room, event: ChatEvent, position: Position | undefined) => void) {
    this.#options = options;
    this.#serve = serve;
  }

  /**
   * Messages of a chat have gone by unheard and are not in the log: the REST API has them. They are read with the rights of anybody
   * who listens; each of those is a member. Of receipts nothing is known; the messages themselves say whether they were read.
   *
   * @throws GatewayError CURSOR_EXPIRED where they are too many; NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async fill(room: Room, after: Position, isGiven: (id: string) => boolean): Promise<void> {
    const { bus, history, replayLimit } = this.#options;
    const session = room.anyone;
    if (!session) return;
    const isRecent = isCreatedSince(after);
    // What still waits on an instance that was cut off, and comes by later, has its place before what its sender said since.
    const lateSince = Math.max(room.beganAtMs + PUBLICATION_MARGIN_MS, parsePosition(after).ms - LATE_MS);
    const isLate = (message: Message): boolean =>
      Date.parse(message.createdAt) >= lateSince && !isGiven(idOf(eventOf(room, message)));
    const isWanted = (message: Message): boolean => isRecent(message) || isLate(message);
    await room.hold(after, async () => {
      const sources = { log: bus.log, history, limit: replayLimit };
      for (const message of await readMessages(sources, session, room.chatId, isWanted)) {
        const event = eventOf(room, message);
        // The clocks' margin reaches back to what was given long since, or before this room was. What is held has its place here.
        if (!isGiven(idOf(event)) || room.holds(message.id)) this.#insert(room, event, undefined);
      }
    });
  }

  /** The bus subscribes to a chat just now, and the log has what was published after `after` and before that. */
  async readSince(room: Room, after: Position): Promise<void> {
    await room.hold(after, async () => {
      await room.fed;
      const entries = await whereReachable(this.#options.bus.log.read(chatTopic(room.chatId), after), undefined);
      for (const { event, position } of entries ?? []) {
        if (isChatEvent(event)) this.#insert(room, placed(event, position), position);
      }
    });
  }

  #insert(room: Room, event: ChatEvent, position: Position | undefined): void {
    room.insert(event, position, (news, at) => this.#serve(room, news, at));
  }
}

function eventOf({ chatId }: Room, message: Message): MessageCreated {
  return { type: "message.created", chatId, message };
}
