/** Clients behind relays, instances that come and go, and what each subscription ought to have received. */
import { createClient, type Client } from "graphql-ws";
import { print } from "graphql";
import { WebSocket } from "ws";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import type { TestGateway } from "./gateway.ts";
import { ChatsDocument, MarkReadDocument, MessageAddedDocument, SendMessageDocument } from "./generated/graphql.ts";
import {
  ReadReceiptDocument,
  type MessageFieldsFragment,
  type ReadReceiptFieldsFragment,
} from "./generated/graphql.ts";
import { startInstances, type Backplane, type Instances } from "./backplane.ts";
import { startRelay, type Relay } from "./relay.ts";
import { overHttp } from "./runner.ts";
import { Transcript } from "./transcript.ts";

const [alice, bob, carol] = DEMO_USERS;

/** The readers, each with what is theirs. */
export const READERS = [alice, bob];

/** Both readers are in these. */
export const CHATS = [DEMO_CHATS.shop, DEMO_CHATS.team] as const;

/** Gateways that readers are connected to; they may be stopped and replaced. */
export const SLOTS = 2;

/** What a subscription is to. */
export interface Subject {
  readonly type: "messages" | "receipts";
  /** Undefined: all. */
  readonly chatId: string | undefined;
}

/** One that is running, or has been completed. */
export interface Followed {
  readonly subject: Subject;
  readonly transcript: Transcript;
  /** What it ought to have, chat by chat. */
  readonly expected: Map<string, string[]>;
  stop(): void;
}

interface Sent {
  readonly type: Subject["type"];
  readonly chatId: string;
  readonly word: string;
  /** Of a message. */
  readonly cursor: string | undefined;
}

/** One user's client, over a relay of its own. */
export class Reader {
  readonly relay: Relay;
  readonly client: Client;
  readonly running = new Set<Followed>();
  readonly completed: Followed[] = [];
  isFrozen = false;
  /** Times that it has connected. */
  connects = 0;

  constructor(relay: Relay, token: string) {
    this.relay = relay;
    this.client = createClient({
      url: relay.url,
      webSocketImpl: WebSocket,
      connectionParams: { token },
      shouldRetry: () => true,
      retryAttempts: Infinity,
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
      on: { connected: () => void this.connects++ },
    });
  }

  /** Resolves when the subscriptions begun before stand. */
  async settled(): Promise<void> {
    for await (const { errors } of this.client.iterate({ query: print(ChatsDocument) })) {
      if (errors) throw new Error(JSON.stringify(errors));
    }
  }

  follow({ type, chatId }: Subject, after: string | undefined): Followed {
    const transcript = new Transcript();
    const document = type === "messages" ? MessageAddedDocument : ReadReceiptDocument;
    const stop = this.client.subscribe<{
      messageAdded?: MessageFieldsFragment;
      readReceipt?: ReadReceiptFieldsFragment;
    }>(
      { query: print(document), variables: { chatId, ...(after !== undefined && { after }) } },
      {
        next({ data }) {
          const receipt = data?.readReceipt;
          transcript.add(
            receipt ? wordOf(receipt.chatId, String(receipt.messageId)) : String(data?.messageAdded?.content),
          );
        },
        error: (error) => transcript.end(error),
        complete: () => transcript.end(undefined),
      },
    );
    return { subject: { type, chatId }, transcript, expected: new Map(), stop };
  }
}

/** A word says of which chat it is. */
function wordOf(chatId: string, text: string): string {
  return `${CHATS.findIndex((id) => id === chatId)}:${text}`;
}

export class World implements AsyncDisposable {
  readonly readers: readonly Reader[];
  readonly slots: TestGateway[];
  readonly #instances: Instances;
  readonly #stack: AsyncDisposableStack;
  readonly #closing: Promise<void>[] = [];
  readonly #sent: Sent[] = [];
  #count = 0;

  private constructor(
    instances: Instances,
    slots: TestGateway[],
    readers: readonly Reader[],
    stack: AsyncDisposableStack,
  ) {
    this.#instances = instances;
    this.slots = slots;
    this.readers = readers;
    this.#stack = stack;
  }

  static async start(createBackplane: () => Backplane): Promise<World> {
    await using starting = new AsyncDisposableStack();
    const instances = starting.use(await startInstances({ HEARTBEAT_INTERVAL: "1500" }, createBackplane));
    const slots = await Promise.all(Array.from({ length: SLOTS }, () => instances.start()));
    const readers: Reader[] = [];
    for (const [index, { token }] of READERS.entries()) {
      const relay = starting.use(await startRelay(slots[index % SLOTS]?.wsUrl ?? ""));
      const reader = new Reader(relay, token);
      starting.defer(async () => {
        await reader.client.dispose();
      });
      readers.push(reader);
    }
    return new World(instances, slots, readers, starting.move());
  }

  /** Messages so far of what a subject is about, as far as a cursor goes. */
  messagesOf({ type, chatId }: Subject): readonly Sent[] {
    return this.#sent.filter((sent) => sent.type === type && (chatId === undefined || sent.chatId === chatId));
  }

  async send(slot: number, chatId: string): Promise<void> {
    const content = wordOf(chatId, String(++this.#count));
    const { sendMessage } = await this.#writer(slot).run(SendMessageDocument, { chatId, content });
    this.#record({ type: "messages", chatId, word: content, cursor: sendMessage.cursor });
  }

  /** Marks a message as read that nobody was told of. */
  async read(slot: number, chatId: string): Promise<void> {
    const { data } = this.#instances.api;
    const { id: messageId } = data.addMessage({ chatId, senderId: carol.id, content: "to be read" });
    await this.#writer(slot).run(MarkReadDocument, { chatId, messageId });
    this.#record({ type: "receipts", chatId, word: wordOf(chatId, messageId), cursor: undefined });
  }

  /** Expects what is sent from now on, and with `skipped` the messages that are left after so many of them. */
  async subscribe(reader: Reader, subject: Subject, skipped: number | undefined): Promise<void> {
    const before = this.messagesOf(subject);
    const start = skipped === undefined ? undefined : before[skipped % Math.max(1, before.length)];
    const followed = reader.follow(subject, start?.cursor);
    if (start) for (const sent of before.slice(before.indexOf(start) + 1)) expectWord(followed, sent);
    reader.running.add(followed);
    await reader.settled();
  }

  /** The slot's clients are let go; another gateway takes its place. */
  async replace(slot: number): Promise<void> {
    const old = this.slots[slot];
    const next = await this.#instances.start();
    this.slots[slot] = next;
    for (const { relay } of this.readers) relay.redirect(portOf(next));
    if (old) this.#closing.push(old.close());
  }

  redirect(reader: Reader, slot: number): void {
    const gateway = this.slots[slot];
    if (gateway) reader.relay.redirect(portOf(gateway));
  }

  /** The number of the events so far. */
  get sent(): number {
    return this.#sent.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await Promise.all(this.#closing);
  }

  /** Bob's own instance has no reader. */
  #writer(slot: number): ReturnType<typeof overHttp> {
    return overHttp((this.slots[slot] ?? this.#instances.one).url, bob.token);
  }

  #record(sent: Sent): void {
    this.#sent.push(sent);
    for (const { running } of this.readers) {
      for (const followed of running) {
        const { type, chatId } = followed.subject;
        if (type === sent.type && (chatId === undefined || chatId === sent.chatId)) expectWord(followed, sent);
      }
    }
  }
}

function expectWord({ expected }: Followed, { chatId, word }: Sent): void {
  expected.set(chatId, [...(expected.get(chatId) ?? []), word]);
}

function portOf({ url }: TestGateway): number {
  return Number(new URL(url).port);
}
