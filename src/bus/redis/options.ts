/** What a bus over Redis is made with. */
import type { RedisOptions } from "ioredis";
import type { BusOptions } from "../bus.ts";

export interface RedisBusOptions<Event> extends BusOptions<Event> {
  /** As {@link parseRedisAddress} takes it, which throws where it cannot. */
  readonly url: string;
  /** Beginning of every key and channel: buses with different ones are apart. */
  readonly prefix: string;
  /** Within this time the users of a dead instance are offline. */
  readonly presenceTtlMs: number;
  /** As long as callers wait before they settle; a grace whose caller has died is ended by another instance. */
  readonly presenceGraceMs: number;
  /** Milliseconds that the start waits for the first connection, which is tried for ever. 1500 where it is not given. */
  readonly startPatienceMs?: number | undefined;
  /** Overrides the address: the certificates that are trusted. */
  readonly tls?: RedisOptions["tls"];
  /**
   * Is notified when Redis, or a node of it, is disconnected, with the reason if it is known; once more if Redis turns out later to
   * refuse the connection, or if the first connection fails for a reason that was not known yet; and when all is connected again. No error
   * has a password or an event in it.
   */
  readonly onOutage?: (error: unknown) => void;
  readonly onReturn?: () => void;
  /** Redis is connected and has not answered for some seconds; it answers again. */
  readonly onSilent?: () => void;
  readonly onAnswer?: () => void;
  /** Redis refuses to write, for that reason. Called once for each reason until it accepts again. */
  readonly onRefused?: (error: unknown) => void;
  readonly onAccepted?: () => void;
  /** Too many events wait: those of this topic are dropped, and its listeners recover them from elsewhere when Redis is back. */
  readonly onDropping?: (topic: string) => void;
}
