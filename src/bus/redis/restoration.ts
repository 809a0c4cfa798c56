/**
 * Redis has lost its memory, or another server took over that may lack the last writes: each instance writes again what it had, and
 * nobody delivers newer events before all have. How long an instance takes does not matter; one that makes no progress is not waited for any
 * more.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RedisConnection } from "./connection/connection.ts";
import type { RedisKeys } from "./keys.ts";
import { loadScript, toList } from "./script.ts";

const RESTORATION = loadScript(import.meta.url, "restoration.lua");

/** Between two looks at who has finished, doubled each time. */
const LOOK_MIN_MS = 25;
const LOOK_MAX_MS = 250;

/** Within this time the connection notices a process of Redis that an answer came from, where it can be noticed at all. */
const NOTICED_AFTER_MS = 3000;

/** How long it is remembered who has finished. */
const RECORD_TTL_MS = 3_600_000;

/**
 * An instance that has written nothing for `deadAfterMs` is dead, or cannot write. Others are waited for `minMs` in any case, which is longer than their
 * back-off: one that has just started may not be known. Both are counted in looks that Redis answered, so that a busy machine does not
 * count faster than it works.
 */
const TIMES = { deadAfterMs: 15_000, minMs: 2000 };

interface RestorationParts {
  readonly connection: Pick<RedisConnection, "isCluster" | "script">;
  readonly keys: Pick<RedisKeys, "restoration">;
  readonly instanceId: string;
  /** The other instances that were there before Redis lost its memory. */
  readonly peers: () => Iterable<string>;
  /** Whether Redis refuses to write: what is to be written waits for that, as everything does. */
  readonly isRefused: () => boolean;
  /** Everything is there again. May not throw. */
  readonly onRestored: () => void;
  /** Is notified where something could not be written again. */
  readonly onError: (error: unknown) => void;
}

/**
 * Writes again what some part of this instance had, and tells each time that some of it is written. `isLate`: others did not wait for
 * this instance, and take what it had for lost.
 */
export type Writer = (onProgress: () => void, isLate: Promise<boolean>) => Promise<void>;

/** In one process of Redis. */
interface Round {
  readonly epoch: string;
  readonly over: PromiseWithResolvers<void>;
  /** Who else has something to write. Replaced, not changed. */
  expected: readonly string[];
  /** Undefined where this instance has nothing to write. */
  own: "writing" | "done" | undefined;
  readonly isLate: PromiseWithResolvers<boolean>;
  /** How much it has written: what it shows the others. */
  written: number;
  /** It is looked for at least so long. */
  minMs: number;
}

/** What an instance has shown last, and for how long nothing else. */
interface Sign {
  readonly state: string;
  silentMs: number;
}

export class Restoration {
  readonly #parts: RestorationParts;
  readonly #times: typeof TIMES;
  readonly #rounds = new Map<string, Round>();
  /** Processes of Redis that were met. */
  readonly #known = new Set<string>();
  #isClosed = false;

  constructor(parts: RestorationParts, times = TIMES) {
    this.#parts = parts;
    this.#times = times;
  }

  /** Whether nobody has anything to write again, as far as is known. */
  get isRestored(): boolean {
    return this.#rounds.size === 0;
  }

  /** The processes of Redis that have everything. None where this instance stops. */
  get restoredEpochs(): readonly string[] {
    if (this.#isClosed) return [];
    return [...this.#known].filter((epoch) => !this.#rounds.has(epoch));
  }

  /** Resolves when nobody has anything to write again. Never rejects. */
  async restored(): Promise<void> {
    for (;;) {
      const [round] = this.#rounds.values();
      if (!round) return;
      await round.over.promise;
    }
  }

  /**
   * That process of Redis was met, perhaps not for the first time.
   *
   * @param isFirst no other one was met before: this instance has nothing to write.
   */
  met(epoch: string, isFirst: boolean): void {
    const round = this.#rounds.get(epoch);
    if (round && isFirst) round.minMs = 0;
    if (!this.#known.has(epoch)) this.#open(epoch, isFirst ? 0 : NOTICED_AFTER_MS);
  }

  /** This instance writes again what it had. What it cannot write, though Redis does not refuse it, it gives up as others give up an instance. */
  begin(epoch: string, writers: readonly Writer[]): void {
    const round = this.#rounds.get(epoch) ?? this.#open(epoch, 0);
    // A single server was replaced by this one.
    if (!this.#parts.connection.isCluster) for (const former of this.#rounds.values()) this.#supersede(former, round);
    round.minMs = this.#times.minMs;
    round.expected = [...this.#parts.peers()].filter((peer) => peer !== this.#parts.instanceId);
    round.own = "writing";
    const onProgress = (): void => void round.written++;
    const working = writers.map((write) => write(onProgress, round.isLate.promise).catch(this.#parts.onError));
    void Promise.all(working).then(() => (round.own = "done"));
  }

  close(): void {
    this.#isClosed = true;
    for (const round of this.#rounds.values()) this.#end(round);
  }

  #open(epoch: string, minMs: number): Round {
    const [over, isLate] = [Promise.withResolvers<void>(), Promise.withResolvers<boolean>()];
    const round: Round = { epoch, over, expected: [], own: undefined, isLate, written: 0, minMs };
    this.#known.add(epoch);
    this.#rounds.set(epoch, round);
    // What is known of it in this turn goes with the first look.
    queueMicrotask(() => void this.#watch(round));
    return round;
  }

  /** Nobody has finished there: should it come back, it is looked at anew. */
  #supersede(former: Round, by: Round): void {
    if (former === by) return;
    this.#known.delete(former.epoch);
    this.#end(former);
  }

  #end(round: Round): void {
    if (this.#rounds.get(round.epoch) === round) this.#rounds.delete(round.epoch);
    round.over.resolve();
    round.isLate.resolve(false);
  }

  async #watch(round: Round): Promise<void> {
    const signs = new Map<string, Sign>();
    let lookedMs = 0;
    for (let waitMs = LOOK_MIN_MS; !this.#isClosed; waitMs = Math.min(2 * waitMs, LOOK_MAX_MS)) {
      const asked = { expected: round.expected, own: round.own };
      const unfinished = await this.#look(round, signs, lookedMs >= round.minMs);
      if (this.#rounds.get(round.epoch) !== round) return;
      // What has begun since the look was sent is asked for by the next one.
      const isAsked = round.expected === asked.expected && round.own === asked.own && round.own !== "writing";
      if (unfinished?.length === 0 && isAsked && lookedMs >= round.minMs) break;
      await sleep(waitMs, undefined, { ref: false });
      if (!unfinished) continue;
      lookedMs += waitMs;
      noteSigns(signs, unfinished, waitMs);
      const own = signs.get(this.#parts.instanceId);
      if (own && own.silentMs >= this.#times.deadAfterMs) round.own = "done";
    }
    this.#end(round);
    if (this.isRestored && !this.#isClosed) this.#parts.onRestored();
  }

  /**
   * Resolves to name and state of those that have not finished; undefined where Redis does not answer.
   *
   * @param isLast if all have.
   */
  async #look(
    round: Round,
    signs: ReadonlyMap<string, Sign>,
    isLast: boolean,
  ): Promise<readonly (readonly [instance: string, state: string])[] | undefined> {
    const { connection, keys, instanceId, isRefused } = this.#parts;
    if (isRefused()) round.written++;
    const { epoch, expected, own, written } = round;
    const state = own === "writing" ? String(written) : (own ?? "");
    const dead = [...signs]
      .filter(([, { silentMs }]) => silentMs >= this.#times.deadAfterMs)
      .map(([instance]) => instance);
    const args = [epoch, RECORD_TTL_MS, instanceId, state, isLast ? 1 : 0, expected.length, ...expected, ...dead];
    try {
      const [isLate, unfinished] = toList(await connection.script(RESTORATION, [keys.restoration], args));
      if (own !== undefined) round.isLate.resolve(isLate === 1);
      const answer = toList(unfinished).map(String);
      return Array.from({ length: answer.length / 2 }, (_, n) => [answer[2 * n] ?? "", answer[2 * n + 1] ?? ""]);
    } catch {
      // Others report it.
      return undefined;
    }
  }
}

/** @param ms since the last look. */
function noteSigns(signs: Map<string, Sign>, unfinished: readonly (readonly [string, string])[], ms: number): void {
  const present = new Map(unfinished);
  for (const instance of signs.keys()) if (!present.has(instance)) signs.delete(instance);
  for (const [instance, state] of present) {
    const sign = signs.get(instance);
    if (sign?.state === state) sign.silentMs += ms;
    else signs.set(instance, { state, silentMs: 0 });
  }
}
