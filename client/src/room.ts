import type { Connection, Subscription } from "./connection.ts";
import type { Failure } from "./failure.ts";
import type { ChatList } from "./inbox.ts";
import type { Variables } from "./operate.ts";
import type { OpenChat, Outbox } from "./outbox.ts";
import type { Pending } from "./stored.ts";
import { derived, toggle } from "./store.ts";
import { brief, Timeline } from "./timeline.ts";
import type { Messages, People, Room, ShownMessage, User } from "./types.ts";
import * as wire from "./wire.ts";

const PAGE_SIZE = 50;

/** After a long absence the gap is filled from the history, page by page; more than that is not worth the wait. */
const FILL_PAGE_SIZE = 200;
const MOST_FILLED = 1000;

/** How often typing, and reading, is sent to the gateway. */
const TYPING_EVERY_MS = 2000;
const READ_EVERY_MS = 1000;

/** A phone's clock may be so much ahead of the server's. */
const CLOCK_SKEW_MS = 60_000;

/** A page of a chat's history, the oldest first. */
interface Page {
  readonly nodes: readonly wire.WireMessage[];
  /** Where the page before is; undefined where there is none. */
  readonly start: string | undefined;
}

/** An open chat: what everybody who opened it shares. */
export class OpenRoom implements Room, OpenChat {
  readonly messages = derived<Messages>(() => this.#shown());
  readonly people = derived<People>(() => ({
    online: this.#chats.online(this.#id),
    typing: [...this.#typing.values()],
  }));
  readonly #id: string;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #chats: ChatList;
  readonly #timeline = new Timeline();
  readonly #typing = new Map<string, User>();
  readonly #followed: Subscription[] = [];
  readonly #receipts: Subscription;
  /** Undefined until the history is there. */
  #stream: Subscription | undefined;
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
    this.#follow<{ user: User; isTyping: boolean }>(wire.TYPING, ({ user, isTyping }) => {
      toggle(this.#typing, user, isTyping);
      this.people.changed();
    });
    this.#receipts = this.#follow<wire.WireReceipt>(
      wire.RECEIPTS,
      (receipt) => {
        this.#timeline.read(receipt, this.#receipts.isLive);
        this.changed();
      },
      // Receipts from before are in the history alone.
      (isNew) => isNew && !this.#isLoading && this.#page(FILL_PAGE_SIZE).then(this.#refresh, this.#ended),
    );
    this.#load();
  }

  open(): this {
    this.#users++;
    return this;
  }

  get isLive(): boolean {
    return !!(this.#error || this.#stream?.isLive);
  }

  has(messageId: string): boolean {
    return this.#timeline.messages.has(messageId);
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
    return this.#showPending(this.#outbox.add(this.#id, text));
  }

  retry(key: string): void {
    this.#outbox.retry(key);
  }

  discard(key: string): void {
    this.#outbox.drop(key);
  }

  typing(): void {
    const now = Date.now();
    if (now - this.#typedAt < TYPING_EVERY_MS || !this.#connection.socket) return;
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
    for (const followed of this.#followed) followed.stop();
    for (const { key, state } of this.#outbox.of(this.#id)) if (state === "sent") this.#outbox.drop(key);
  }

  #follow<Event>(
    query: string,
    next: (event: Event) => void,
    live?: (isNew: boolean) => unknown,
    variables: Variables = { id: this.#id },
  ): Subscription {
    const followed = this.#connection.subscribe(query, variables, next, live, this.#ended);
    this.#followed.push(followed);
    return followed;
  }

  #followMessages(after: string | undefined): void {
    const variables = { id: this.#id, after };
    this.#stream = this.#follow<wire.WireMessage>(
      wire.MESSAGES,
      (message) => {
        variables.after = message.cursor;
        this.#typing.delete(message.sender.id);
        this.#insert([message], Infinity);
      },
      (isNew) => {
        // Without a cursor, what came before this moment is not part of the stream.
        if (isNew) this.#loadNewest().then((end) => (variables.after ??= end), this.#ended);
        this.#outbox.flush();
      },
      variables,
    );
  }

  readonly #refresh = ({ nodes }: Page): void => this.#insert(nodes.filter(({ id }) => this.has(id)));

  readonly #forgetTyping = (): void => {
    this.#typing.clear();
    this.people.changed();
  };

  readonly #ended = ({ code }: Failure): void => {
    // Too much was missed.
    if (code === "CURSOR_EXPIRED") return this.#load();
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
  #load(): void {
    this.#loadNewest()
      .then((end) => this.#users > 0 && this.#followMessages(end))
      .catch(this.#ended)
      .finally(this.#connection.hold());
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
    this.#isLoading = false;
    this.#insert(nodes, this.#hasGap ? -1 : undefined);
    if (nodes[0]?.id === this.#timeline.ids[0]) this.#start = start;
    return nodes.at(-1)?.cursor;
  }

  async #loadOlder(): Promise<void> {
    const start = this.#start;
    if (!start) return;
    this.changed();
    const page = await this.#page(PAGE_SIZE, start);
    // Loaded anew meanwhile: this page may not be the one before.
    if (this.#start !== start) return;
    this.#timeline.insert(page.nodes, (message) => this.#show(message, message.id), 0);
    this.#start = page.start;
  }

  /** The newest messages, or the newest before a cursor. */
  async #page(last: number, before?: string): Promise<Page> {
    const variables = { id: this.#id, last, before };
    const { messages } = await this.#connection.run<{ readonly messages: wire.WirePage }>(wire.PAGE, variables);
    const { nodes, pageInfo } = messages;
    return { nodes, start: pageInfo.hasPreviousPage ? nodes[0]?.cursor : undefined };
  }

  #insert(messages: readonly wire.WireMessage[], index?: number): void {
    this.#timeline.insert(messages, (message) => this.#show(message, this.#replaceCopy(message)), index);
    this.changed();
  }

  #shown(): Messages {
    return {
      items: [
        ...this.#timeline.messages.values(),
        ...this.#outbox.of(this.#id).map((pending) => this.#showPending(pending)),
      ],
      hasOlder: !!this.#start,
      loading: this.#isLoading || !!this.#older,
      ...(this.#hasGap && { gap: "history-reloaded" }),
      ...(this.#error && { error: this.#error }),
    };
  }

  #showPending({ id, text, at, key, state }: Pending): ShownMessage {
    const { me } = this.#chats;
    return { ...brief({ id, text, sender: me, at }, me.id), key, state, readBy: [] };
  }

  #show(message: wire.WireMessage, key: string): ShownMessage {
    return { ...brief(message, this.#connection.userId), key, state: "sent", readBy: [] };
  }

  /** Takes the optimistic copy of a persisted message away; the result is its key, or else the message's own. */
  #replaceCopy({ id, clientMessageId, text, sender, at }: wire.WireMessage): string {
    if (sender.id !== this.#connection.userId) return id;
    const copy = this.#outbox.of(this.#id).find((pending) =>
      pending.id || clientMessageId
        ? pending.id === id || pending.key === clientMessageId
        : // The history does not know keys. One whose answer was lost is recognised by what it says.
          pending.text.trim() === text && (pending.triedAt ?? Infinity) < Date.parse(at) + CLOCK_SKEW_MS,
    );
    if (copy) this.#outbox.drop(copy.key);
    return copy?.key ?? clientMessageId ?? id;
  }
}
