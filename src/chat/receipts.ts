/** Marking as read. */
import { randomUUID } from "node:crypto";
import { boundedWait } from "../bounded.ts";
import { whereReachable, type Bus } from "../bus/bus.ts";
import type { ChatApi } from "../upstream/chat-api.ts";
import type { Access } from "./access.ts";
import { Coalescer } from "./coalescer.ts";
import type { MessageRead } from "./events/message-read.ts";
import { topicOf, type BusEvent } from "./events/registry.ts";
import type { KnownReads } from "./known-reads.ts";
import type { ReadReceipt } from "./model.ts";
import type { Identity } from "./session.ts";

/** How long the answer to a receipt waits for its publication, which goes on however long that takes. */
const PUBLISHING_MS = 1000;

/** How long it is remembered that a receipt has been delivered. */
const DELIVERED_TTL_MS = 600_000;

/** How far the backend's clock may be off, and how soon after a receipt another one from the other side says nothing new. */
const CLOCK_SKEW_MS = 1000;

/** The last receipt of somebody for something. */
interface Delivered {
  readonly readAtMs: number;
  /** By this side's clock. */
  readonly deliveredAtMs: number;
  /** Whether the backend told of it. */
  readonly isTold: boolean;
}

export class Receipts {
  readonly #api: ChatApi;
  readonly #access: Access;
  readonly #bus: Bus<BusEvent>;
  readonly #reads: KnownReads;
  readonly #marks = new Coalescer<ReadReceipt>();

  constructor(api: ChatApi, access: Access, bus: Bus<BusEvent>, reads: KnownReads) {
    this.#api = api;
    this.#access = access;
    this.#bus = bus;
    this.#reads = reads;
  }

  /**
   * Marks one message, or the whole chat without `messageId`, and notifies the members of the chat. Of equal marks with one token one is
   * under way at a time: whoever asks meanwhile shares the next one, and its receipt.
   *
   * @throws GatewayError BAD_USER_INPUT (one's own message), NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async mark(identity: Identity, chatId: string, messageId?: string): Promise<ReadReceipt> {
    const key = JSON.stringify([identity.tokenHash, chatId, messageId ?? null]);
    return this.#marks.run(key, () => this.#mark(identity, chatId, messageId));
  }

  async #mark(identity: Identity, chatId: string, messageId: string | undefined): Promise<ReadReceipt> {
    const askedAtMs = Date.now();
    const [readAt] = await Promise.all([
      this.#access.call(identity, chatId, async () => {
        if (messageId !== undefined) return this.#api.markRead(identity.token, chatId, messageId);
        await this.#api.markChatRead(identity.token, chatId);
        return undefined;
      }),
      this.#access.learnMembers(identity, chatId),
    ]);
    const { id, name } = identity.user;
    const receipt = {
      chatId,
      messageId: messageId ?? null,
      reader: { id, name },
      // Not every deployment says when it was.
      readAt: readAt ?? new Date().toISOString(),
    };
    await this.#publish(receipt, askedAtMs);
    return receipt;
  }

  /** Publishes what the backend says, which may repeat itself, and tell of what came through here. */
  async deliver(receipt: ReadReceipt): Promise<void> {
    await this.#publish(receipt, undefined);
  }

  /**
   * Publishes a receipt, unless that has been done.
   *
   * @param askedAtMs when the REST API was asked to mark, by this side's clock; undefined where the backend reports the receipt.
   */
  async #publish(receipt: ReadReceipt, askedAtMs: number | undefined): Promise<void> {
    const { chatId, messageId, reader, readAt } = receipt;
    this.#reads.learnReceipt(receipt);
    const { state } = this.#bus;
    const readAtMs = Date.parse(readAt);
    const key = `read:${JSON.stringify([chatId, messageId, reader.id])}`;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this class writes under these keys
    const last = (await whereReachable(state.get(key), undefined)) as Delivered | undefined;
    const isTold = askedAtMs === undefined;
    // Who marks twice notifies twice; a backend that says it twice does not.
    if (isTold && !(await whereReachable(state.claim(`${key} ${readAt}`, DELIVERED_TTL_MS), true))) return;
    if (last && last.isTold !== isTold && (await this.#isSame(key, last, readAtMs, askedAtMs))) return;
    const delivered: Delivered = { readAtMs, deliveredAtMs: Date.now(), isTold };
    await whereReachable(state.set(key, delivered, DELIVERED_TTL_MS), undefined);
    const isLate = await this.#noteNewest(chatId, reader.id, readAtMs);
    const event: MessageRead = { type: "message.read", id: randomUUID(), chatId, receipt, ...(isLate && { isLate }) };
    await boundedWait(this.#bus.isConnected ? PUBLISHING_MS : 0, this.#bus.publish(topicOf(event), event), undefined);
  }

  /**
   * Whether the last receipt, of the other side, is this one, or a later one. Where the REST API's answer has no instant, its event has another
   * one than the receipt that was made of the answer. Of those that are made soon after one another one is the same, and the next one is not.
   */
  async #isSame(key: string, last: Delivered, readAtMs: number, askedAtMs: number | undefined): Promise<boolean> {
    if (askedAtMs === undefined && last.readAtMs >= readAtMs) return true;
    const isApart = askedAtMs === undefined ? last.readAtMs < readAtMs - CLOCK_SKEW_MS : last.deliveredAtMs < askedAtMs;
    if (isApart) return false;
    const claimed = `${key} same ${last.readAtMs} ${last.deliveredAtMs}`;
    return whereReachable(this.#bus.state.claim(claimed, DELIVERED_TTL_MS), true);
  }

  /** Whether a receipt of the same reader for something in the chat that was made later has been published. */
  async #noteNewest(chatId: string, readerId: string, readAtMs: number): Promise<boolean> {
    const { state } = this.#bus;
    const key = `read:${JSON.stringify([chatId, readerId])}`;
    const newestMs = await whereReachable(state.get(key), undefined);
    if (typeof newestMs === "number" && newestMs > readAtMs) return true;
    // A backend whose clock is ahead makes none late that come after its own.
    await whereReachable(state.set(key, Math.min(readAtMs, Date.now()), DELIVERED_TTL_MS), undefined);
    return false;
  }
}
