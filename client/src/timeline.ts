import type { InboxChat, ShownMessage, User } from "./types.ts";
import type { WireBrief, WireMessage, WireReceipt } from "./wire.ts";

/** A message that the REST API has. */
interface Entry {
  readonly message: WireMessage;
  readonly key: string;
  readBy: readonly User[];
  shown: ShownMessage | undefined;
}

/** The persisted messages of a chat, each once, in the order in which they are shown. */
export class Timeline {
  readonly #byId = new Map<string, Entry>();
  #entries: readonly Entry[] = [];

  get oldestId(): string | undefined {
    return this.#entries[0]?.message.id;
  }

  get newestId(): string | undefined {
    return this.#entries.at(-1)?.message.id;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Adds a message that is not here at the end. */
  append(message: WireMessage, key: string): void {
    this.#entries = [...this.#entries, this.#entryOf(message, key)];
  }

  prepend(messages: readonly WireMessage[]): void {
    const older = messages.filter(({ id }) => !this.has(id));
    this.#entries = [...older.map((message) => this.#entryOf(message)), ...this.#entries];
  }

  /**
   * Puts a piece of the history where it belongs. What is shown is replaced where the two have nothing in common.
   *
   * @param keyOf the key under which a message was shown before.
   */
  merge(messages: readonly WireMessage[], keyOf: (message: WireMessage) => string): void {
    const ids = new Set(messages.map(({ id }) => id));
    const first = this.#entries.findIndex(({ message }) => ids.has(message.id));
    const piece = messages.map((message) => this.#entryOf(message, this.has(message.id) ? "" : keyOf(message)));
    const rest = first === -1 ? [] : this.#entries.slice(first).filter(({ message }) => !ids.has(message.id));
    this.#entries = [...this.#entries.slice(0, Math.max(first, 0)), ...piece, ...rest];
    this.#byId.clear();
    for (const entry of this.#entries) this.#byId.set(entry.message.id, entry);
  }

  /** A receipt without a message is for all that are here. */
  read({ messageId, reader }: WireReceipt): void {
    for (const entry of this.#entries) {
      if (!messageId || messageId === entry.message.id) this.#readBy(entry, [reader]);
    }
  }

  shown(userId: string): readonly ShownMessage[] {
    return this.#entries.map((entry) => {
      const { message, key, readBy } = entry;
      return (entry.shown ??= { ...brief(message, userId), key, state: "sent", readBy });
    });
  }

  #entryOf(message: WireMessage, key = message.id): Entry {
    const entry = this.#byId.get(message.id) ?? { message, key, readBy: [], shown: undefined };
    this.#byId.set(message.id, entry);
    this.#readBy(
      entry,
      message.readBy.map(({ reader }) => reader),
    );
    return entry;
  }

  #readBy(entry: Entry, readers: readonly User[]): void {
    const known = new Set([entry.message.sender.id, ...entry.readBy.map(({ id }) => id)]);
    const more = readers.filter(({ id }) => !known.has(id));
    if (more.length === 0) return;
    entry.readBy = [...entry.readBy, ...more];
    entry.shown = undefined;
  }
}

/** What a list of chats and a list of messages show alike. */
export function brief({ id, content: text, sender, createdAt }: WireBrief, userId: string): Brief {
  return { id, text, sender, at: new Date(createdAt), mine: sender.id === userId };
}

type Brief = NonNullable<InboxChat["lastMessage"]>;
