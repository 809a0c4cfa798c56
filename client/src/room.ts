import type { Connection, Subscription } from "./connection.ts";
import type { Failure } from "./failure.ts";
import type { ChatList } from "./inbox.ts";
import type { Variables } from "./operate.ts";
import type { OpenChat, Outbox } from "./outbox.ts";
import type { Pending } from "./stored.ts";
import { derived, toggle } from "./store.ts";
import { brief, Timeline } from "./timeline.ts";
import type { Messages, People, Room, ShownMessage, User } from "./types.ts";
import type * as wire from "./wire.ts";
import { FILL_PAGE_SIZE, MOST_FILLED, PAGE_SIZE, READ_EVERY_MS, TYPING_EVERY_MS } from "./times.ts";

/** A page of a chat's history, the oldest first. */
interface Page {
  readonly nodes: readonly wire.WireMessage[];
  /** Where the page before is; undefined where there is none. */
  readonly start: string | undefined;
}

/** An open chat: what everybody who opened it shares. */
export class OpenRoom implements Room, OpenChat {
  readonly messages = derived<Messages>(() => ({
    items: [
      ...this.#timeline.messages.values(),
      ...this.#outbox.of(this.#id).map((pending) => this.#showPending(pending)),
    ],
    hasOlder: !!this.#start,
    loading: this.#isLoading || !!this.#older,
    gap: this.#gap,
    error: this.#error,
  }));
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
  #gap: Messages["gap"];
  #error: string | undefined;
  /** The newest message when it was asked last to mark the chat. */
  #unread: string | undefined;
  #readId: string | undefined;
  #typedAt = 0;
  #isReading: boolean | undefined;

  constructor(id: string, connection: Connection, outbox: Outbox, chats: ChatList) {
    this.#id = id;
    this.#connection = connection;
    this.#outbox = outbox;
    this.#chats = chats;
    connection.listeners.add(this.#forgetTyping);
    this.#follow<{ user: User; isTyping: boolean }>(
      "subscription($id:ID!){typingChanged(chatId:$id){isTyping user{id name}}}",
      (change) => {
        toggle(this.#typing, change.user, change.isTyping);
        this.people.changed();
      },
    );
    this.#receipts = this.#follow<wire.WireReceipt>(
      "subscription($id:ID!){readReceipt(chatId:$id){messageId readAt reader{id name}}}",
      (receipt) => {
        this.#timeline.read(receipt, this.#receipts.isLive);
        this.changed();
      },
      // Receipts from before are in the history alone.
      (isNew) => isNew && !this.#isLoading && this.#loadReceipts().catch(this.#ended),
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

  get newestAt(): number {
    return +([...this.#timeline.messages.values()].at(-1)?.at ?? 0);
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
    this.#outbox.discard(key);
  }

  typing(): void {
    const now = Date.now();
    if (now - this.#typedAt < TYPING_EVERY_MS || !this.#connection.socket) return;
    this.#typedAt = now;
    // Nobody misses an indicator that was not shown.
    this.#connection
      .run("mutation($id:ID!){setTyping(chatId:$id,isTyping:true){isTyping}}", { id: this.#id }, now)
      .catch(() => undefined);
  }

  markRead(): void {
    this.#unread = this.#timeline.ids.at(-1);
    this.#markOne();
  }

  /** One at a time, and one in a second at most: what is asked for meanwhile follows. */
  #markOne(): void {
    if (this.#isReading || this.#readId === this.#unread) return;
    this.#isReading = true;
    this.#readId = this.#unread;
    void this.#connection
      .run("mutation($id:ID!){markChatRead(chatId:$id){readAt}}", { id: this.#id })
      // After a failure a later call tries again.
      .catch(() => (this.#unread = this.#readId = undefined))
      .then(() =>
        setTimeout(() => {
          this.#isReading = false;
          this.#markOne();
        }, READ_EVERY_MS),
      );
  }

  close(): void {
    // A component that is mounted anew at once keeps its room.
    setTimeout(() => {
      if (--this.#users) return;
      // What was marked as read is so all the same.
      this.#outbox.close(this.#id);
      this.#connection.listeners.delete(this.#forgetTyping);
      this.#followed.forEach((followed) => followed.stop());
    });
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
      "subscription($id:ID!,$after:String){messageAdded(chatId:$id,after:$after){id text:content at:createdAt sender{id name}clientMessageId cursor readBy{reader{id name}}}}",
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

  /** Loads the newest messages with what is missing before them, and follows what comes after. */
  #load(): void {
    this.#loadNewest()
      .then((end) => this.#users > 0 && this.#followMessages(end), this.#ended)
      .finally(this.#connection.hold());
  }

  /** Resolves to the cursor of the newest message. */
  async #loadNewest(): Promise<string | undefined> {
    // What comes live meanwhile follows the page without a gap.
    const known = this.#timeline.ids;
    let { nodes, start } = await this.#page(PAGE_SIZE);
    const isGap = (): unknown => start && known[0] && !nodes.some((message) => known.includes(message.id));
    while (isGap() && nodes.length < MOST_FILLED) {
      const before = await this.#page(FILL_PAGE_SIZE, start);
      nodes = before.nodes.concat(nodes);
      ({ start } = before);
    }
    this.#gap = isGap() ? "history-reloaded" : undefined;
    this.#isLoading = false;
    this.#insert(nodes, this.#gap && -1);
    if (nodes[0]?.id === this.#timeline.ids[0]) this.#start = start;
    return nodes.at(-1)?.cursor;
  }

  /** Loads what is shown again, with those who have read it. */
  async #loadReceipts(before?: string): Promise<void> {
    const { nodes, start } = await this.#page(FILL_PAGE_SIZE, before);
    const shown = nodes.filter((message) => this.has(message.id));
    this.#insert(shown, Infinity);
    if (start && shown[0] === nodes[0]) await this.#loadReceipts(start);
  }

  async #loadOlder(): Promise<void> {
    const before = this.#start;
    if (!before) return;
    this.changed();
    const { nodes, start } = await this.#page(PAGE_SIZE, before);
    // Loaded anew meanwhile: this page may not be the one before.
    if (this.#start !== before) return;
    this.#insert(nodes, 0);
    this.#start = start;
  }

  /** The newest messages, or the newest before a cursor. */
  async #page(last: number, before?: string): Promise<Page> {
    const {
      messages: { nodes, pageInfo },
    } = await this.#connection.run<{ readonly messages: wire.WirePage }>(
      "query($id:ID!,$last:Int!,$before:String){chat(id:$id){messages(last:$last,before:$before){nodes{id text:content at:createdAt sender{id name}clientMessageId cursor readBy{reader{id name}}}pageInfo{hasPreviousPage}}}}",
      { id: this.#id, last, before },
    );
    return { nodes, start: pageInfo.hasPreviousPage ? nodes[0]?.cursor : undefined };
  }

  #insert(messages: readonly wire.WireMessage[], index?: number): void {
    this.#timeline.insert(messages, (message) => this.#show(message, this.#replaceCopy(message)), index);
    this.changed();
  }

  #showPending(pending: Pending): ShownMessage {
    return this.#show({ ...pending, sender: this.#chats.me() }, pending.key, pending.stop ? "sending" : pending.state);
  }

  #show(
    message: Parameters<typeof brief<string | undefined>>[0],
    key: string,
    state: ShownMessage["state"] = "sent",
  ): ShownMessage {
    return { ...brief(message, this.#connection.userId), key, state, readBy: [] };
  }

  /** Takes the optimistic copy of a persisted message away; the result is its key, or else the message's own. */
  #replaceCopy({ id, clientMessageId, text, sender, at }: wire.WireMessage): string {
    if (sender.id !== this.#connection.userId) return id;
    const copy = this.#outbox.of(this.#id).find((pending) =>
      pending.id || clientMessageId
        ? pending.id === id || pending.key === clientMessageId
        : // The history does not know keys. One whose answer was lost is recognised by what it says, if it was not there before.
          pending.text.trim() === text && (pending.triedAfter as number) < Date.parse(at),
    );
    if (copy) this.#outbox.discard(copy.key);
    return copy?.key ?? clientMessageId ?? id;
  }
}
