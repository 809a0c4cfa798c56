/** What arrives on a connection, at the pace at which the gateway handles it. */
import type { Rate } from "../../config/config.ts";
import { MessageBudget } from "./message-budget.ts";
import type { TurnTaker, Turns } from "./turns.ts";

/** Messages of one connection that are handled in one turn of the event loop: then it is the others' turn. */
const MESSAGES_PER_TURN = 20;

/** So many of them in any case, once it is its turn: what is sent together is seen together, an id that is used twice for instance. */
const MESSAGES_AT_LEAST = 2;

/**
 * While more than this waits, or more messages than a turn handles, nothing is read from the connection. For less it is not paused: to stop and
 * to begin reading again takes two system calls.
 */
const READ_AHEAD_BYTES = 16_384;

/** Bytes that wait to be handled, at most. What was read in one piece may hold as much; compressed, it may hold more than that. */
const MAX_WAITING_BYTES = 524_288;

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
  /** Messages that have been handled in all. */
  #handledInAll = 0;
  #waiting: string[] | undefined;
  /** How many of those have been handled in the present turn. */
  #taken = 0;
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

  /** Messages that have arrived so far. */
  get arrived(): number {
    return this.#handledInAll + this.#waitingCount;
  }

  /** Of those, the ones that have been handled. */
  get handled(): number {
    return this.#handledInAll;
  }

  /** A message has arrived. */
  message(text: string): void {
    this.#enterTurn();
    if (!this.#isSlowed && this.#isItsTurn && this.#isAllowed) {
      this.#handle(text);
      return;
    }
    this.#waitingBytes += text.length;
    (this.#waiting ??= []).push(text);
    const count = this.#waitingCount;
    this.#slow(count > MESSAGES_PER_TURN || this.#waitingBytes > READ_AHEAD_BYTES || this.#budget.waitMs > 0);
    // One or two are as long as a message may be.
    if (this.#waitingBytes > MAX_WAITING_BYTES && count > MESSAGES_AT_LEAST) this.#receiver.onFlood();
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
    if (!this.#receiver.isReceiving) return false;
    this.#enterTurn();
    if (this.#ping) this.#receiver.pong(this.#ping);
    this.#ping = undefined;
    const atLeast = this.goesOn ? 1 : MESSAGES_AT_LEAST;
    for (let count = 0; count < atLeast && this.#mayGoOn; count++) this.#handleNext();
    return this.#mayGoOn && this.#isItsTurn;
  }

  leaveTurn(): void {
    this.#isQueued = false;
    this.#waiting?.splice(0, this.#taken);
    this.#taken = 0;
    this.goesOn = this.#waitingCount > 0;
    const { isReceiving, isThrottled } = this.#receiver;
    if (!this.#isSlowed || !isReceiving || isThrottled) return;
    const { waitMs } = this.#budget;
    if (waitMs > 0) this.#wait(waitMs);
    else if (this.goesOn) this.#queue();
    else this.#unslow();
  }

  /** The connection is closed. */
  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = undefined;
    this.#taken = 0;
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

  get #isItsTurn(): boolean {
    if (this.#handled > 0 && this.#handled < MESSAGES_AT_LEAST) return true;
    return this.#handled < MESSAGES_PER_TURN && this.#spentMs < this.#turns.shareMs && !this.#turns.isOver;
  }

  get #isAllowed(): boolean {
    return !this.#receiver.isThrottled && this.#budget.waitMs === 0;
  }

  get #mayGoOn(): boolean {
    return this.#waitingCount > 0 && this.#receiver.isReceiving && this.#isAllowed;
  }

  get #waitingCount(): number {
    return (this.#waiting?.length ?? 0) - this.#taken;
  }

  #handleNext(): void {
    const text = this.#waiting?.[this.#taken++] ?? "";
    this.#waitingBytes -= text.length;
    this.#handle(text);
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
    if (this.#budget.hasRecovered) this.#limitedSince = undefined;
    this.#handled++;
    this.#handledInAll++;
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
    this.#taken = 0;
    this.#isSlowed = false;
    this.#receiver.setSlowed(false);
  }

  #queue(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#turns.add(this);
  }
}
