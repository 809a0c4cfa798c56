/** Some of the clients: a process of its own, so that who sends and receives is not what everybody waits for. */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { ResultErrors } from "../../tests/support/client.ts";
import { History, type Listener, type Talker } from "../../tests/support/history.ts";
import { lostOf, type Said } from "../../tests/support/verdict.ts";
import { createRandom } from "../chaos/random.ts";
import type { Order, Report, Start } from "./protocol.ts";

/** Clients that connect at the same time. */
const CONNECTING = 10;

const LOOK_MS = 500;

class Crowd {
  /** Stock clients: what graphql-ws does by itself, but for giving up. */
  readonly #history = new History({ retryAttempts: Infinity, shouldRetry: () => true });
  readonly #listeners: Listener[] = [];
  /** Each sends one message at a time. */
  readonly #idle: Talker[] = [];
  readonly #sending = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #refused = 0;
  #isOver = false;

  async start({ wsUrl, members, rate, seed }: Start): Promise<void> {
    const next = members.values();
    const connect = async (): Promise<void> => {
      for (const { name, token, chatId } of next) {
        const listener = await this.#history.listen(name, wsUrl, token, [chatId]);
        this.#listeners.push(listener);
        this.#idle.push(this.#history.talkerOn(listener.client, name, chatId));
      }
    };
    await Promise.all(Array.from({ length: CONNECTING }, connect));
    const random = createRandom(seed);
    const startedAt = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      // Those who are late are not made up for with a burst: nobody is there to send it.
      for (; due < ((performance.now() - startedAt) / 1000) * rate; due++) {
        const [talker] = this.#idle.splice(Math.floor(random.next() * this.#idle.length), 1);
        if (talker) this.#send(talker);
      }
    }, 1000 / rate);
  }

  async stop(): Promise<{ readonly said: readonly Said[]; readonly refused: number }> {
    clearInterval(this.#timer);
    this.#isOver = true;
    await Promise.all(this.#sending);
    return { said: this.#history.said.map(onTheClock), refused: this.#refused };
  }

  async complete(said: readonly Said[], patienceMs: number): Promise<void> {
    const end = performance.now() + patienceMs;
    const own = said.map((message) => ({ ...message, from: message.from - performance.timeOrigin }));
    const isMissing = (): boolean => this.#listeners.some((listener) => lostOf(listener, own).length > 0);
    while (isMissing() && performance.now() < end) await sleep(LOOK_MS);
  }

  get report(): Extract<Report, { type: "collected" }> {
    const received = this.#listeners.map(({ name, chatIds, since, heard, end }) => ({
      name,
      chatIds,
      since: since + performance.timeOrigin,
      heard,
      end,
    }));
    const reconnects = this.#listeners.reduce((sum, { connections }) => sum + connections - 1, 0);
    return { type: "collected", received, reconnects };
  }

  #send(talker: Talker): void {
    const sending = this.#say(talker).finally(() => {
      this.#sending.delete(sending);
      this.#idle.push(talker);
    });
    this.#sending.add(sending);
  }

  /** Repeats what is refused, as an application does. */
  async #say(talker: Talker): Promise<void> {
    for (;;) {
      try {
        await talker.say();
        return;
      } catch (error) {
        if (!(error instanceof ResultErrors)) throw error;
        this.#refused++;
        if (this.#isOver) return;
        await sleep(LOOK_MS);
      }
    }
  }
}

const crowd = new Crowd();

async function obey(order: Order): Promise<Report> {
  if (order.type === "start") {
    await crowd.start(order);
    return { type: "listening" };
  }
  if (order.type === "stop") return { type: "sent", ...(await crowd.stop()) };
  await crowd.complete(order.said, order.patienceMs);
  return crowd.report;
}

function onTheClock(said: Said): Said {
  return { ...said, from: said.from + performance.timeOrigin, to: said.to + performance.timeOrigin };
}

process.on("message", (order: Order) => {
  obey(order).then(
    (report) => process.send?.(report),
    (error: unknown) => {
      process.stderr.write(`a worker failed: ${String(error)}\n`);
      process.exit(1);
    },
  );
});
process.once("disconnect", () => process.exit());
