/** Everybody who is connected to one server: listeners, senders, and the account of what they hear. */
import { setTimeout as delay } from "node:timers/promises";
import { chatsOf, tokenOf, type World } from "../world.ts";
import { Client } from "./client.ts";
import type { Interest, Protocol } from "./protocols.ts";
import { Window } from "./window.ts";

/** Nothing but a message's content has this character. */
const MARK = "~";
const MARK_BYTE = 0x7e;
const DIGITS = 8;
/** So that a delivery has about 300 bytes. */
const FILLER = " One line of a conversation as people write it, neither long nor short, about as it is everywhere.";

/** Each so-manieth delivery is parsed and compared. */
const SAMPLE = 997;

/** How many connections are being made at a time. */
const CONCURRENCY = 64;

const BUFFER_BYTES = 256 * 1024;
const PROBE_TIMEOUT_MS = 3000;
const PROBES = 20;

interface CrowdOptions {
  /** Of each server: users are spread over them, so that a chat's members are on all, and a sender is not where it listens. */
  readonly ports: readonly [number, ...number[]];
  readonly protocol: Protocol;
  readonly world: World;
}

export class Crowd implements Disposable {
  readonly #options: CrowdOptions;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  readonly #clients: Client[] = [];
  readonly #senders: { readonly client: Client; readonly chats: readonly string[] }[] = [];
  #window: Window;
  #sinceSample = 0;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#window = new Window(options.world, 0, { latencies: false });
  }

  /** Connects users and has them authenticated, some at a time. Rejects where one is refused. */
  async admit(users: readonly number[], shift = 0): Promise<Client[]> {
    const admitted: Client[] = [];
    const queue = users.values();
    const worker = async (): Promise<void> => {
      for (const user of queue) admitted.push(await this.#admit(user, shift));
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    return admitted;
  }

  /**
   * Everybody of the world connects and listens; `senders` of them connect once more, as another device that only sends, or everybody
   * sends where they listen.
   */
  async gather(interest: Interest, senders: number | "everybody"): Promise<void> {
    const { world, protocol } = this.#options;
    const texts = protocol.listen(interest);
    const listeners = await this.admit(range(world.people));
    for (const client of listeners) client.send(texts);
    this.addSenders(senders === "everybody" ? listeners : await this.#admitSenders(senders));
    await this.#probe();
  }

  /** {@link send} takes them in turns, too. */
  addSenders(clients: readonly Client[]): void {
    for (const client of clients) {
      this.#senders.push({ client, chats: chatsOf(this.#options.world, client.user) });
    }
  }

  /** How often each connection was pinged so far. */
  pings(): readonly number[] {
    return this.#clients.map(({ pings }) => pings);
  }

  async #admitSenders(count: number): Promise<Client[]> {
    const step = this.#options.world.people / count;
    return this.admit(
      range(count).map((index) => Math.floor(index * step)),
      1,
    );
  }

  /** Begins a new account. */
  open(options: { latencies: boolean }): Window {
    this.#window = new Window(this.#options.world, this.#window.next, options);
    return this.#window;
  }

  /** The `turn`-th sender of all turns writes so many messages to one of its chats, in one write. */
  send(turn: number, count = 1): void {
    const sender = this.#senders[turn % this.#senders.length];
    const chatId = sender?.chats[Math.floor(turn / this.#senders.length) % sender.chats.length];
    if (!sender || chatId === undefined) throw new Error("nobody is there to send");
    const texts = range(count).map(() => {
      const { next } = this.#window;
      this.#window.onSend(chatId);
      return this.#options.protocol.message(next, chatId, contentOf(next));
    });
    sender.client.send(texts);
  }

  /** Connections that the server ended. */
  get lost(): number {
    return this.#clients.filter(({ isLost }) => isLost).length;
  }

  leave(clients: readonly Client[]): void {
    for (const client of clients) client.close();
  }

  [Symbol.dispose](): void {
    this.leave(this.#clients);
  }

  async #admit(user: number, shift: number): Promise<Client> {
    const { ports, protocol } = this.#options;
    const client = new Client({
      port: ports[(user + shift) % ports.length] ?? ports[0],
      protocol,
      user,
      token: tokenOf(user),
      buffer: this.#buffer,
      onText: (from, data, start, end) => this.#onText(from, data, start, end),
    });
    this.#clients.push(client);
    await client.ready;
    return client;
  }

  /** Subscribing is not acknowledged: everybody listens when a message of each sender has reached all whom it has to. */
  async #probe(): Promise<void> {
    for (let probe = 0; probe < PROBES; probe++) {
      const window = this.open({ latencies: false });
      for (let turn = 0; turn < this.#senders.length; turn++) {
        this.send(turn);
        if (turn % 20 === 19) await delay(10);
      }
      if (await window.complete(PROBE_TIMEOUT_MS)) return;
    }
    throw new Error(`not everybody listens: ${this.#window.account().faults.join("; ")}`);
  }

  #onText(client: Client, data: Buffer, start: number, end: number): void {
    const mark = data.indexOf(MARK_BYTE, start);
    if (mark === -1 || mark >= end) {
      this.#onSignal(client, data.toString("latin1", start, end));
      return;
    }
    const message = numberAt(data, mark + 1);
    this.#window.onDelivery(message, client.user);
    if (++this.#sinceSample < SAMPLE) return;
    this.#sinceSample = 0;
    this.#check(message, data.toString("utf8", start, end));
  }

  #onSignal(client: Client, text: string): void {
    const { protocol } = this.#options;
    const signal = protocol.read(text);
    if (signal === "ready") client.markReady();
    else if (signal === "acknowledged") this.#window.onAcknowledged();
    else if (signal === "failed") this.#window.onFault(`refused: ${text.slice(0, 300)}`);
    else if (signal === "ping" && protocol.pong !== undefined) client.send([protocol.pong]);
  }

  #check(number: number, text: string): void {
    const chatId = this.#window.chatOf(number);
    if (chatId === undefined) return;
    const message = this.#options.protocol.delivered(text) as Readonly<Record<string, unknown>> | undefined;
    const isRight =
      message?.["chatId"] === chatId &&
      message["content"] === contentOf(number) &&
      typeof message["id"] === "string" &&
      typeof message["createdAt"] === "string" &&
      typeof message["sender"] === "object";
    if (!isRight) this.#window.onFault(`not the message that was sent: ${text.slice(0, 300)}`);
  }
}

function contentOf(message: number): string {
  return MARK + String(message).padStart(DIGITS, "0") + MARK + FILLER;
}

function numberAt(data: Buffer, start: number): number {
  let value = 0;
  for (let at = start; at < start + DIGITS; at++) value = value * 10 + data.readUInt8(at) - 48;
  return value;
}

/** The numbers from 0 to before `length`. */
export function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
