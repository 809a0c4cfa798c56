/** What all instances sign cursors with. */
import { hkdfSync } from "node:crypto";
import { BusUnavailable, type Bus } from "../bus/bus.ts";
import type { Config } from "../config/config.ts";
import { parseRedisAddress } from "../config/redis-address.ts";
import type { Log } from "../log.ts";
import { Cursors } from "./cursor.ts";

const KEY_BYTES = 32;

/** The name of the key on the bus. */
const SHARED_KEY = "cursor-key";

/**
 * The key of an instance that knows of no other. It is made of the configuration, so that cursors stay valid when the gateway is restarted, or Redis
 * with it. Where the configuration has no secret others may guess it: what a cursor can cause is bounded without its signature too.
 */
export function ownCursorKey(config: Pick<Config, "EVENTS_SECRET" | "HTTP_API_URL" | "REDIS_URL">): Buffer {
  const password =
    config.REDIS_URL === undefined ? undefined : parseRedisAddress(config.REDIS_URL).credentials.password;
  const material = JSON.stringify([config.EVENTS_SECRET?.[0] ?? null, password ?? null, config.HTTP_API_URL ?? null]);
  return Buffer.from(hkdfSync("sha256", material, "", "cursors", KEY_BYTES));
}

/** Has the instances of a bus use the key of the first of them, also after the bus has lost its memory. */
export class SharedCursorKey {
  readonly cursors: Cursors;
  readonly #bus: Pick<Bus<unknown>, "observe" | "state">;
  readonly #log: Log;
  #own: string;
  #stopObserving: (() => void) | undefined;

  /** @param own what cursors are signed with until the shared key is known. */
  constructor(bus: Pick<Bus<unknown>, "observe" | "state">, own: Buffer, log: Log) {
    this.#bus = bus;
    this.cursors = new Cursors(own);
    this.#own = own.toString("base64");
    this.#log = log;
  }

  /** Resolves when the key is known, or cannot be learnt yet: it is asked for again when the bus is connected. Never rejects. */
  async start(): Promise<void> {
    await this.#agree();
    this.#stopObserving = this.#bus.observe({ restored: () => void this.#agree() });
  }

  close(): void {
    this.#stopObserving?.();
  }

  async #agree(): Promise<void> {
    try {
      const shared = await this.#bus.state.agree(SHARED_KEY, this.#own);
      if (typeof shared !== "string") return;
      this.#own = shared;
      this.cursors.use(Buffer.from(shared, "base64"));
    } catch (error) {
      if (error instanceof BusUnavailable) this.#log.debug({ err: error }, "the key of cursors cannot be read yet");
      else this.#log.error({ err: error }, "the key of cursors could not be read");
    }
  }
}
