/** The account of one measured stretch: what was sent, what came, and whether that is exactly what had to come. */
import { performance } from "node:perf_hooks";
import { membersOf, type World } from "../world.ts";

export interface Account {
  readonly messages: number;
  readonly expected: number;
  readonly received: number;
  /** What went wrong, a sentence each; empty where every member got every message once. */
  readonly faults: readonly string[];
}

export class Window {
  readonly #world: World;
  readonly #first: number;
  readonly #chats: string[] = [];
  readonly #sentAtMs: number[] = [];
  readonly #perMessage: number[] = [];
  readonly #perUser: Uint32Array;
  readonly #latenciesMs: number[] | undefined;
  readonly #faults = new Set<string>();
  #received = 0;
  #acknowledged = 0;
  #whenComplete: (() => void) | undefined;

  /** @param first the number of the first message. */
  constructor(world: World, first: number, { latencies }: { latencies: boolean }) {
    this.#world = world;
    this.#first = first;
    this.#perUser = new Uint32Array(world.people);
    this.#latenciesMs = latencies ? [] : undefined;
  }

  /** The number that the next message gets. */
  get next(): number {
    return this.#first + this.#chats.length;
  }

  get messages(): number {
    return this.#chats.length;
  }

  get expected(): number {
    return this.#chats.length * this.#world.chatSize;
  }

  get received(): number {
    return this.#received;
  }

  /** From the write of a message to the read of its delivery, ascending, in ms. */
  get latenciesMs(): Float64Array {
    return Float64Array.from(this.#latenciesMs ?? []).toSorted();
  }

  chatOf(message: number): string | undefined {
    return this.#chats[message - this.#first];
  }

  onSend(chatId: string): void {
    this.#chats.push(chatId);
    this.#perMessage.push(0);
    if (this.#latenciesMs) this.#sentAtMs.push(performance.now());
  }

  onDelivery(message: number, user: number): void {
    const index = message - this.#first;
    const count = this.#perMessage[index];
    // An earlier window's message: it was counted as lost there.
    if (count === undefined) return;
    this.#perMessage[index] = count + 1;
    this.#perUser[user] = (this.#perUser[user] ?? 0) + 1;
    this.#received++;
    this.#latenciesMs?.push(performance.now() - (this.#sentAtMs[index] ?? Number.NaN));
    this.#settle();
  }

  onAcknowledged(): void {
    this.#acknowledged++;
    this.#settle();
  }

  onFault(sentence: string): void {
    if (this.#faults.size < 5) this.#faults.add(sentence);
  }

  /** Whether everything that was sent has been acknowledged and delivered, or more than that. */
  get isComplete(): boolean {
    return this.#received >= this.expected && this.#acknowledged >= this.#chats.length;
  }

  /** Resolves when it is complete, or with false when that has not come about after so long. */
  async complete(timeoutMs: number): Promise<boolean> {
    if (this.isComplete) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), timeoutMs);
    this.#whenComplete = () => resolve(true);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#whenComplete = undefined;
    }
  }

  /** Compares, member by member and message by message. */
  account(): Account {
    const messages = this.#chats.length;
    const wrongMessages = this.#perMessage.filter((count) => count !== this.#world.chatSize).length;
    if (wrongMessages > 0) this.onFault(`${wrongMessages} of ${messages} messages did not reach each member once`);
    const expected = this.#expectedPerUser();
    const wrongUsers = expected.filter((count, user) => count !== this.#perUser[user]).length;
    if (wrongUsers > 0) this.onFault(`${wrongUsers} members got another number of messages than they had to`);
    if (this.#acknowledged < messages) this.onFault(`${messages - this.#acknowledged} sends were not acknowledged`);
    return { messages, expected: this.expected, received: this.#received, faults: [...this.#faults] };
  }

  #expectedPerUser(): Uint32Array {
    const perChat = new Map<string, number>();
    for (const chatId of this.#chats) perChat.set(chatId, (perChat.get(chatId) ?? 0) + 1);
    const expected = new Uint32Array(this.#world.people);
    for (const [chatId, count] of perChat) {
      for (const user of membersOf(this.#world, chatId)) expected[user] = (expected[user] ?? 0) + count;
    }
    return expected;
  }

  #settle(): void {
    if (this.#whenComplete && this.isComplete) this.#whenComplete();
  }
}
