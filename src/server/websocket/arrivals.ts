/** What arrives on a connection, at the pace at which the gateway handles it. */
import type { Rate } from "../../config/config.ts";
import { MessageBudget } from "./message-budget.ts";

/** Messages of one connection that are handled in one turn of the event loop: then it is the others' turn. */
const MESSAGES_PER_TURN = 20;

/** How long they may take, but for the first two: what is sent together is seen together, an id that is used twice for instance. */
const SHARE_MS = 5;
const MESSAGES_AT_LEAST = 2;

/** Bytes that wait to be handled. What was read in one piece may hold as much; compressed, it may hold more than that. */
const MAX_WAITING_BYTES = 262_144;

/** A client that is slowed for so many windows goes on far above its limit. */
const PATIENCE_WINDOWS = 1;

/** How long the messages of all connections may take in one turn: deliveries and answers wait meanwhile. */
const TURN_MS = 30;

/** Calls what is added at the end of the turn of the event loop, in this order, and says when the messages of a turn have taken its time. */
export class Turns {
  #waiting: { nextTurn(): void }[] = [];
  #spentMs = 0;

  /** Whether further messages are for the next turn. */
  get isOver(): boolean {
    return this.#spentMs >= TURN_MS;
  }

  /** A message took so long. */
  spend(ms: number): void {
    this.#spentMs += ms;
  }

  add(arrivals: { nextTurn(): void }): void {
    if (this.#waiting.push(arrivals) === 1) this.#schedule();
  }

  #schedule(): void {
    setImmediate(() => this.#next());
  }

  #next(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#spentMs = 0;
    let next = 0;
    while (next < waiting.length && !this.isOver) waiting[next++]?.nextTurn();
    if (next === waiting.length) return;
    // Those that had no turn come before those that go on.
    if (this.#waiting.length === 0) this.#schedule();
    this.#waiting = [...waiting.slice(next), ...this.#waiting];
  }
}

/** The connection that the messages arrive on. */
interface Receiver {
  /** Whether messages are still taken. */
  readonly isReceiving: boolean;
  /** Whether it does not read what it was sent: what it asks for waits with that. */
  readonly isThrottled: boolean;
  read(text: string): void;
  /** Answers the last ping frame of a turn. */
  pong(data: Buffer): void;
  /** Reads nothing more for now. */
  slow(): void;
  /** Reads again. */
  unslow(): void;
  /** The client sends far more than it may. */
  onFlood(): void;
}

/**
 * Messages are handled as they come while there are few of them. Beyond that they wait, and nothing more is read: the client waits with
 * them, and nobody else does.
 */
export class Arrivals {
  readonly #receiver: Receiver;
  readonly #turns: Turns;
  readonly #rate: Rate;
  readonly #budget: MessageBudget;
  #handled = 0;
  /** What those took. */
  #spentMs = 0;
  #waiting: string[] | undefined;
  #waitingBytes = 0;
  #ping: Buffer | undefined;
  #isInTurn = false;
  #isSlowed = false;
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

  /** A message has arrived. */
  message(text: string): void {
    if (!this.#isSlowed && this.#mayHandle) {
      if (this.#budget.hasRecovered) this.#limitedSince = undefined;
      this.#handle(text);
      this.#await();
      return;
    }
    this.#waitingBytes += text.length;
    (this.#waiting ??= []).push(text);
    this.#slow();
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#receiver.onFlood();
  }

  /** A ping frame has arrived. Of those of one turn the last is answered: RFC 6455, section 5.5.3. */
  ping(data: Buffer): void {
    this.#ping = data;
    this.control();
  }

  /** A frame has arrived that is no message. */
  control(): void {
    this.#budget.take(0);
    if (this.#budget.waitMs > 0) this.#slow();
    else this.#await();
  }

  /** The turn in which something arrived is over. */
  nextTurn(): void {
    this.#isInTurn = false;
    this.#handled = 0;
    this.#spentMs = 0;
    if (!this.#receiver.isReceiving) return;
    if (this.#ping) this.#receiver.pong(this.#ping);
    this.#ping = undefined;
    if (this.#isSlowed) this.#goOn();
  }

  /** The connection is closed. */
  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = undefined;
  }

  /** The client reads again. */
  resume(): void {
    if (this.#isSlowed) this.#await();
  }

  get #mayHandle(): boolean {
    const hasTime = this.#spentMs < SHARE_MS && !this.#turns.isOver;
    const isTurn = this.#handled < (hasTime ? MESSAGES_PER_TURN : MESSAGES_AT_LEAST);
    return isTurn && !this.#receiver.isThrottled && this.#budget.waitMs === 0;
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
    if (!this.#receiver.isReceiving || this.#receiver.isThrottled) return;
    const { waitMs } = this.#budget;
    if (waitMs > 0) this.#wait(waitMs);
    else if (waiting.length > 0) this.#await();
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
    const ms = performance.now() - begunAt;
    this.#spentMs += ms;
    this.#turns.spend(ms);
  }

  #slow(): void {
    this.#await();
    if (this.#isSlowed) return;
    this.#isSlowed = true;
    this.#receiver.slow();
  }

  #unslow(): void {
    this.#waiting = undefined;
    this.#isSlowed = false;
    this.#receiver.unslow();
  }

  #await(): void {
    if (this.#isInTurn) return;
    this.#isInTurn = true;
    this.#turns.add(this);
  }
}
