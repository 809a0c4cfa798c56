import type { Connection, Subscription } from "./connection.ts";
import type { Failure } from "./failure.ts";
import { loadPage, type Page } from "./history.ts";
import type { ChatList } from "./inbox.ts";
import type { Variables } from "./operate.ts";
import type { OpenChat, Outbox, Pending } from "./outbox.ts";
import { Derived, toggle } from "./store.ts";
import { brief, Timeline } from "./timeline.ts";
import type { Messages, People, Room, ShownMessage, User } from "./types.ts";
import * as wire from "./wire.ts";

const MESSAGES = "messageAdded";
const RECEIPTS = "readReceipt";

const PAGE_SIZE = 50;

/** After a long absence the gap is filled from the history, page by page; more than that is not worth the wait. */
const FILL_PAGE_SIZE = 200;
const MOST_FILLED = 1000;

/** How often typing, and reading, is sent to the gateway. */
const TYPING_EVERY_MS = 2000;
const READ_EVERY_MS = 1000;

/** A phone's clock may be so much ahead of the server's. */
const CLOCK_SKEW_MS = 60_000;

/** An open chat: what everybody who opened it shares. */
export class OpenRoom implements Room, OpenChat {
  readonly messages = new Derived<Messages>(() => this.#shown());
  readonly people = new Derived<People>(() => ({
    online: this.#chats.online(this.#id),
    typing: [...this.#typing.values()],
  }));
  readonly #id: string;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #chats: ChatList;
  readonly #timeline = new Timeline();
  readonly #typing = new Map<string, User>();
  readonly #followed = new Map<string, Subscription>();
  #users = 0;
  /** Where `loadOlder` continues; undefined where there is nothing older. */
  #start: string | undefined;
  #older: Promise<void> | undefined;
  #isLoading = true;
  #hasGap = false;
  #error: string | undefined;
  #typedAt = 0;
  #readAt = 0;
  #readId: string | undefined;
  #readTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(id: string, connection: Connection, outbox: Outbox, chats: ChatList) {
    this.#id = id;
    this.#connection = connection;
    this.#outbox = outbox;
    this.#chats = chats;
    connection.listeners.add(this.#forgetTyping);
    this.#follow<{ user: User; isTyping: boolean }>("typingChanged", wire.TYPING, {}, ({ user, isTyping }) => {
      toggle(this.#typing, user, isTyping);
      this.people.changed();
    });
    this.#follow<wire.WireReceipt>(
      RECEIPTS,
      wire.RECEIPTS,
      {},
      (receipt) => {
        this.#timeline.read(receipt, this.#isFollowed(RECEIPTS));
        this.changed();
      },
      // Receipts from before are in the history alone.
      (isNew) => isNew && !this.#isLoading && this.#page(FILL_PAGE_SIZE).then(this.#refresh, this.#ended),
    );
    void this.#load();
  }

  open(): this {
    this.#users++;
    return this;
  }

  get isLive(): boolean {
    return !!this.#error || this.#isFollowed(MESSAGES);
  }

  has(messageId: string): boolean {
    return this.#timeline.has(messageId);
  }

  changed(): void {
    this.messages.changed();
    this.people.changed();
  }

  /** One page at a time, however often it is called. */
  loadOlder(): Promise<void> {
    return (this.#older ??= this.#loadOlder().finally(() => {
      this.#older = undefined;
      this.changed();
    }));
  }

  send(text: string): ShownMessage {
    // The next key stroke is sent at once.
    this.#typedAt = 0;
    return this.#show(this.#outbox.add(this.#id, text));
  }

  retry(key: string): void {
    this.#outbox.retry(key);
  }

  discard(key: string): void {
    this.#outbox.drop(key);
  }

  typing(): void {
    const now = Date.now();
    if (now - this.#typedAt < TYPING_EVERY_MS || !this.#connection.isConnected) return;
    this.#typedAt = now;
    // Nobody misses an indicator that was not shown.
    this.#connection.run(wire.SET_TYPING, { id: this.#id }, now).catch(() => undefined);
  }

  markRead(): void {
    this.#readTimer ??= setTimeout(() => this.#markRead(), Math.max(0, this.#readAt + READ_EVERY_MS - Date.now()));
  }

  close(): void {
    // A component that is mounted anew at once keeps its room.
    setTimeout(() => {
      if (--this.#users === 0) this.end();
    });
  }

  end(): void {
    this.#outbox.rooms.delete(this.#id);
    clearTimeout(this.#readTimer);
    this.#connection.listeners.delete(this.#forgetTyping);
    for (const followed of this.#followed.values()) followed.stop();
    this.#followed.clear();
    for (const { key, message } of this.#outbox.of(this.#id)) if (message) this.#outbox.drop(key);
  }

  #follow<Event>(
    field: string,
    query: string,
    variables: Variables,
    next: (event: Event) => void,
    live?: (isNew: boolean) => unknown,
  ): void {
    variables["id"] = this.#id;
    this.#followed.set(field, this.#connection.subscribe(field, query, variables, next, live, this.#ended));
  }

  #isFollowed(field: string): boolean {
    return !!this.#followed.get(field)?.isLive;
  }

  #followMessages(after: string | undefined): void {
    const variables = { after };
    this.#follow<wire.WireMessage>(
      MESSAGES,
      wire.MESSAGES,
      variables,
      (message) => {
        variables.after = message.cursor;
        this.#typing.delete(message.sender.id);
        this.#timeline.insert([message], this.#replaceCopy, Infinity);
        this.changed();
      },
      (isNew) => {
        // Without a cursor, what came before this moment is not part of the stream.
        if (isNew) this.#loadNewest().then((end) => (variables.after ??= end), this.#ended);
        this.#outbox.flush();
      },
    );
  }

  readonly #refresh = ({ nodes }: Page): void => {
    this.#timeline.insert(
      nodes.filter(({ id }) => this.has(id)),
      this.#replaceCopy,
    );
    this.changed();
  };

  readonly #forgetTyping = (): void => {
    this.#typing.clear();
    this.people.changed();
  };

  readonly #ended = ({ code }: Failure): void => {
    // Too much was missed.
    if (code === "CURSOR_EXPIRED") return void this.#load();
    this.#isLoading = false;
    this.#error = code;
    this.changed();
  };

  #markRead(): void {
    this.#readTimer = undefined;
    const newest = this.#timeline.ids.at(-1);
    if (newest === this.#readId) return;
    this.#readId = newest;
    this.#readAt = Date.now();
    this.#connection.run(wire.MARK_READ, { id: this.#id }).catch(() => {
      // A later call tries again.
      this.#readId = undefined;
    });
  }

  /** Loads the newest messages with what is missing before them, and follows what comes after. */
  async #load(): Promise<void> {
    const release = this.#connection.hold();
    try {
      const end = await this.#loadNewest();
      if (this.#users > 0) this.#followMessages(end);
    } catch (error) {
      this.#ended(error as Failure);
    } finally {
      release();
    }
  }

  /** Resolves to the cursor of the newest message. */
  async #loadNewest(): Promise<string | undefined> {
    // What comes live meanwhile follows the page without a gap.
    const known = this.#timeline.ids;
    let { nodes, start } = await this.#page(PAGE_SIZE);
    const isGap = (): boolean => !!start && !!known[0] && !nodes.some(({ id }) => known.includes(id));
    while (isGap() && nodes.length < MOST_FILLED) {
      const before = await this.#page(FILL_PAGE_SIZE, start);
      nodes = before.nodes.concat(nodes);
      ({ start } = before);
    }
    this.#hasGap = isGap();
    this.#timeline.insert(nodes, this.#replaceCopy, this.#hasGap ? -1 : undefined);
    if (nodes[0]?.id === this.#timeline.ids[0]) this.#start = start;
    this.#isLoading = false;
    this.changed();
    return nodes.at(-1)?.cursor;
  }

  async #loadOlder(): Promise<void> {
    const start = this.#start;
    if (!start) return;
    this.changed();
    const page = await this.#page(PAGE_SIZE, start);
    // Loaded anew meanwhile: this page may not be the one before.
    if (this.#start !== start) return;
    this.#timeline.insert(page.nodes, ({ id }) => id, 0);
    this.#start = page.start;
  }

  #page(last: number, before?: string): Promise<Page> {
    return loadPage(this.#connection, this.#id, last, before);
  }

  #shown(): Messages {
    return {
      items: [
        ...this.#timeline.shown(this.#connection.userId),
        ...this.#outbox.of(this.#id).map((pending) => this.#show(pending)),
      ],
      hasOlder: !!this.#start,
      loading: this.#isLoading || !!this.#older,
      ...(this.#hasGap && { gap: "history-reloaded" }),
      ...(this.#error && { error: this.#error }),
    };
  }

  #show(pending: Pending): ShownMessage {
    const { key, text, at, message, isFailed } = pending;
    const unsent = this.#outbox.sending === pending ? "sending" : "queued";
    return {
      ...brief({ id: message?.id, text, sender: this.#chats.me, at }, this.#chats.me.id),
      key,
      readBy: [],
      state: message ? "sent" : isFailed ? "failed" : unsent,
    };
  }

  /** Takes the optimistic copy of a persisted message away; the result is its key, or else the message's own. */
  readonly #replaceCopy = ({ id, clientMessageId, text, sender, at }: wire.WireMessage): string => {
    if (sender.id !== this.#connection.userId) return id;
    const copy = this.#outbox.of(this.#id).find((pending) =>
      pending.message || clientMessageId
        ? pending.message?.id === id || pending.key === clientMessageId
        : // The history does not know keys. One whose answer was lost is recognised by what it says.
          pending.text.trim() === text && (pending.triedAt ?? Infinity) < Date.parse(at) + CLOCK_SKEW_MS,
    );
    if (copy) this.#outbox.drop(copy.key);
    return copy?.key ?? clientMessageId ?? id;
  };
}
