import type { BriefMessage, ShownMessage, User } from "./types.ts";
import type { WireBrief, WireMessage, WireReceipt } from "./wire.ts";

/** A message that the REST API has. */
interface Entry {
  readonly message: WireMessage;
  readonly key: string;
  readonly readBy: Map<string, User>;
  shown?: ShownMessage | undefined;
}

/** The persisted messages of a chat, each once, in the order in which they are shown. */
export class Timeline {
  /** By the messages' ids. */
  #entries: ReadonlyMap<string, Entry> = new Map<string, Entry>();

  /** The oldest first. */
  get ids(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  append(message: WireMessage, key: string): void {
    this.#arrange([...this.#entries.values(), this.#entryOf(message, key)]);
  }

  prepend(messages: readonly WireMessage[]): void {
    this.#arrange([...messages.map((message) => this.#entryOf(message, message.id)), ...this.#entries.values()]);
  }

  /**
   * Puts a piece of the history where it belongs. What is shown is replaced where the two have nothing in common.
   *
   * @param keyOf the key of a message that is new here.
   */
  merge(messages: readonly WireMessage[], keyOf: (message: WireMessage) => string): void {
    const first = this.ids.findIndex((id) => messages.some((message) => message.id === id));
    const piece = messages.map((message) => this.#entryOf(message, this.has(message.id) ? "" : keyOf(message)));
    const entries = [...this.#entries.values()];
    this.#arrange(first < 0 ? piece : [...entries.slice(0, first), ...piece, ...entries.slice(first)]);
  }

  /** A receipt without a message is for all that are here. */
  read({ messageId, reader }: WireReceipt): void {
    for (const [id, entry] of this.#entries) if (!messageId || messageId === id) addReaders(entry, [reader]);
  }

  shown(userId: string): readonly ShownMessage[] {
    return [...this.#entries.values()].map((entry) => {
      const { message, key, readBy } = entry;
      return (entry.shown ??= { ...brief(message, userId), key, state: "sent", readBy: [...readBy.values()] });
    });
  }

  /** The first of two entries of one message stays. */
  #arrange(entries: readonly Entry[]): void {
    this.#entries = new Map(entries.map((entry) => [entry.message.id, entry]));
  }

  #entryOf(message: WireMessage, key: string): Entry {
    const entry = this.#entries.get(message.id) ?? { message, key, readBy: new Map<string, User>() };
    addReaders(
      entry,
      message.readBy.map(({ reader }) => reader),
    );
    return entry;
  }
}

function addReaders(entry: Entry, readers: readonly User[]): void {
  for (const reader of readers) {
    if (reader.id === entry.message.sender.id) continue;
    entry.readBy.set(reader.id, reader);
    entry.shown = undefined;
  }
}

/** What a list of chats and a list of messages show alike. */
export function brief({ id, text, sender, at }: WireBrief, userId: string): BriefMessage {
  return { id, text, sender, at: new Date(at), mine: sender.id === userId };
}
