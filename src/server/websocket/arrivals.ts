/** What arrives on a connection, at the pace at which the gateway handles it. */
import type { Rate } from "../../config/config.ts";
import { MessageBudget } from "./message-budget.ts";
import type { TurnTaker, Turns } from "./turns.ts";

/** Messages of one connection that are handled in one turn of the event loop: then it is the others' turn. */
const MESSAGES_PER_TURN = 20;

/** So many of them in any case, once it is its turn: what is sent together is seen together, an id that is used twice for instance. */
const MESSAGES_AT_LEAST = 2;

/** More than so many bytes of a connection, or messages of one turn, wait: nothing more is read. To pause a socket for a moment costs more. */
const READ_AHEAD_BYTES = 16_384;

/** Bytes that wait to be handled, at most. What was read in one piece may hold as much; compressed, it may hold more than that. */
const MAX_WAITING_BYTES = 262_144;

/** A client that is slowed for so many windows goes on far above its limit. */
const PATIENCE_WINDOWS = 1;

/** The connection that the messages arrive on. */
interface Receiver {
  /** Whether messages are still taken. */
  readonly isReceiving: boolean;
  /** Whether it does not read what it was sent: what it asks for waits with that. */
  readonly isThrottled: boolean;
  read(text: string): void;
  /** Answers the last ping frame of a turn. */
  pong(data: Buffer): void;
  /** Whether it reads nothing more for now. */
  setSlowed(isSlowed: boolean): void;
  /** The client sends far more than it may. */
  onFlood(): void;
}

/**
 * Messages are handled as they come while there are few of them, and the turn has time. Beyond that they wait, and nothing more is read: the
 * client waits with them.
 */
export class Arrivals implements TurnTaker {
  readonly #receiver: Receiver;
  readonly #turns: Turns;
  readonly #rate: Rate;
  readonly #budget: MessageBudget;
  /** The number of the turn in which something arrived last. */
  #turn = 0;
  /** Messages that were handled in that turn, and what they took. */
  #handled = 0;
  #spentMs = 0;
  #waiting: string[] | undefined;
  #waitingBytes = 0;
  #ping: Buffer | undefined;
  /** Whether it waits for its turn. */
  #isQueued = false;
  #isSlowed = false;
  goesOn = false;
  /** Since when the budget has been used up, without having recovered meanwhile. */
  #limitedSince: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param rate the rate of a user's operations. */
  constructor(receiver: Receiver, turns: Turns, rate: Rate) {
    this.#receiver = receiver;
    this.#turns = turns;
    this.#rate = rate;
    this.#budget = new MessageBudget(rate);
  }

  /** Whether messages have arrived that are still to be handled. */
  get areWaiting(): boolean {
    return this.#waiting !== undefined && this.#waiting.length > 0;
  }

  /** A message has arrived. */
  message(text: string): void {
    this.#enterTurn();
    if (!this.#isSlowed && this.#mayHandle) {
      if (this.#budget.hasRecovered) this.#limitedSince = undefined;
      this.#handle(text);
      return;
    }
    this.#waitingBytes += text.length;
    const count = (this.#waiting ??= []).push(text);
    this.#slow(count > MESSAGES_PER_TURN || this.#waitingBytes > READ_AHEAD_BYTES || this.#budget.waitMs > 0);
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#receiver.onFlood();
  }

  /** A ping frame has arrived. Of those of one turn the last is answered: RFC 6455, section 5.5.3. */
  ping(data: Buffer): void {
    this.#ping = data;
    this.#queue();
    this.control();
  }

  /** A frame has arrived that is no message. */
  control(): void {
    this.#budget.take(0);
    if (this.#budget.waitMs > 0) this.#slow(true);
  }

  takeTurn(): boolean {
    this.#isQueued = false;
    if (!this.#receiver.isReceiving) return false;
    this.#enterTurn();
    if (this.#ping) this.#receiver.pong(this.#ping);
    this.#ping = undefined;
    if (this.#isSlowed) this.#goOn();
    return this.#handled > 0;
  }

  /** The connection is closed. */
  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = undefined;
  }

  /** The client reads again. */
  resume(): void {
    if (this.#isSlowed) this.#queue();
  }

  #enterTurn(): void {
    this.#turns.begin();
    if (this.#turn === this.#turns.number) return;
    this.#turn = this.#turns.number;
    this.#handled = 0;
    this.#spentMs = 0;
  }

  get #mayHandle(): boolean {
    return this.#isItsTurn && !this.#receiver.isThrottled && this.#budget.waitMs === 0;
  }

  get #isItsTurn(): boolean {
    if (this.#handled > 0 && this.#handled < MESSAGES_AT_LEAST) return true;
    return this.#handled < MESSAGES_PER_TURN && this.#spentMs < this.#turns.shareMs && !this.#turns.isOver;
  }

  #goOn(): void {
    const waiting = this.#waiting ?? [];
    let next = 0;
    while (next < waiting.length && this.#mayHandle) {
      const text = waiting[next++] ?? "";
      this.#waitingBytes -= text.length;
      this.#handle(text);
    }
    waiting.splice(0, next);
    this.goesOn = waiting.length > 0;
    if (!this.#receiver.isReceiving || this.#receiver.isThrottled) return;
    const { waitMs } = this.#budget;
    if (waitMs > 0) this.#wait(waitMs);
    else if (this.goesOn) this.#queue();
    else this.#unslow();
  }

  #wait(waitMs: number): void {
    const { windowMs } = this.#rate;
    const now = performance.now();
    this.#limitedSince ??= now;
    if (now - this.#limitedSince > PATIENCE_WINDOWS * windowMs) {
      this.#receiver.onFlood();
      return;
    }
    const goOn = (): void => this.resume();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(goOn, Math.min(waitMs, windowMs));
  }

  #handle(text: string): void {
    this.#handled++;
    // In bytes as good as: what is not ASCII takes more of them.
    this.#budget.take(text.length);
    const begunAt = performance.now();
    this.#receiver.read(text);
    this.#spentMs += performance.now() - begunAt;
  }

  #slow(isPausing: boolean): void {
    this.#isSlowed = true;
    this.#queue();
    if (isPausing) this.#receiver.setSlowed(true);
  }

  #unslow(): void {
    this.#waiting = undefined;
    this.#isSlowed = false;
    this.#receiver.setSlowed(false);
  }

  #queue(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#turns.add(this);
  }
}
