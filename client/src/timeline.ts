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
  /** Of the whole chat, and of messages that were not here: the last one of each reader, by message and reader. */
  readonly #receipts = new Map<string, WireReceipt>();

  /** The oldest first. */
  get ids(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /**
   * Inserts a piece of the history before the message at `index`: without an index before the first message that is part of it, or of all.
   * What is here stays where it is. -1 replaces it.
   *
   * @param keyOf the key of a message that is new here.
   */
  insert(
    messages: readonly WireMessage[],
    keyOf: (message: WireMessage) => string,
    index = Math.max(
      0,
      this.ids.findIndex((id) => messages.some((message) => message.id === id)),
    ),
  ): void {
    const piece = messages.map((message) => this.#entryOf(message, keyOf));
    const entries = index < 0 ? piece : [...this.#entries.values()].toSpliced(index, 0, ...piece);
    // The first of two entries of one message stays.
    this.#entries = new Map(entries.map((entry) => [entry.message.id, entry]));
  }

  /**
   * A receipt without a message is for the whole chat.
   *
   * @param isNew it is for everything that is here; one that comes late is for the messages of its time.
   */
  read(receipt: WireReceipt, isNew: boolean): void {
    const { messageId, reader } = receipt;
    for (const entry of this.#entries.values())
      if ((isNew && !messageId) || covers(receipt, entry)) addReader(entry, reader);
    if (!messageId || !this.has(messageId)) this.#receipts.set(`${messageId} ${reader.id}`, receipt);
  }

  shown(userId: string): readonly ShownMessage[] {
    return [...this.#entries.values()].map((entry) => {
      const { message, key, readBy } = entry;
      return (entry.shown ??= { ...brief(message, userId), key, state: "sent", readBy: [...readBy.values()] });
    });
  }

  #entryOf(message: WireMessage, keyOf: (message: WireMessage) => string): Entry {
    const entry = this.#entries.get(message.id) ?? { message, key: keyOf(message), readBy: new Map<string, User>() };
    for (const { reader } of message.readBy) addReader(entry, reader);
    for (const receipt of this.#receipts.values()) if (covers(receipt, entry)) addReader(entry, receipt.reader);
    return entry;
  }
}

function covers({ messageId, readAt }: WireReceipt, { message }: Entry): boolean {
  return messageId ? messageId === message.id : message.at <= readAt;
}

function addReader(entry: Entry, reader: User): void {
  if (reader.id === entry.message.sender.id) return;
  entry.readBy.set(reader.id, reader);
  entry.shown = undefined;
}

/** What a list of chats and a list of messages show alike. */
export function brief<Id extends string | undefined>(
  { id, text, sender, at }: Omit<WireBrief, "id" | "at"> & { readonly id: Id; readonly at: string | number },
  userId: string,
): Omit<BriefMessage, "id"> & { readonly id: Id } {
  return { id, text, sender, at: new Date(at), mine: sender.id === userId };
}
