/** The connections of this instance: how many it takes, and how they end with it. */
import type { Log } from "../../log.ts";
import { CloseCode } from "./close-codes.ts";
import { connectionsOf, countConnections, type ConnectionCounts, type ConnectionReport } from "./connection-counts.ts";
import type { Connection } from "./connection.ts";

/** A full instance has room again below this part of its maximum: one that leaves must not be announced each time. */
const ROOM_BELOW = 0.9;

export class Connections {
  readonly #max: number;
  readonly #log: Log;
  readonly #open = new Set<Connection>();
  #isFull = false;

  constructor(max: number, log: Log) {
    this.#max = max;
    this.#log = log;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Whether a load balancer should choose another instance. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether one more is one too many. */
  get isAtMaximum(): boolean {
    return this.#open.size >= this.#max;
  }

  of(userId: string): readonly ConnectionReport[] {
    return connectionsOf(userId, this.#open);
  }

  count(): ConnectionCounts {
    return countConnections(this.#open);
  }

  add(connection: Connection): void {
    this.#open.add(connection);
    this.#update();
  }

  delete(connection: Connection): void {
    this.#open.delete(connection);
    this.#update();
  }

  /** As `WebSockets.drain`. */
  async drain(windowMs: number): Promise<void> {
    const connections = [...this.#open];
    const stepMs = windowMs / connections.length;
    for (const [index, connection] of connections.entries()) connection.announceRestart(index * stepMs);
    await Promise.all(
      connections.map(async (connection, index) => {
        if (index > 0) await new Promise((resolve) => setTimeout(resolve, index * stepMs));
        await connection.drain(CloseCode.serviceRestart, "Service restart");
      }),
    );
  }

  /** Resolves when none of those that are open now is left. */
  async closed(): Promise<void> {
    await Promise.all(
      [...this.#open].map(({ socket }) => new Promise<void>((resolve) => socket.once("close", () => resolve()))),
    );
  }

  terminate(): void {
    for (const { socket } of this.#open) socket.terminate();
  }

  /** Logs when the instance becomes full, and when there is room again: once each, however many connections are refused. */
  #update(): void {
    const connections = this.#open.size;
    const isFull = connections >= this.#max || (this.#isFull && connections > this.#max * ROOM_BELOW);
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    if (isFull)
      this.#log.warn({ connections }, "full: MAX_CONNECTIONS is reached, and further connections are refused");
    else this.#log.info({ connections }, "there is room for connections again");
  }
}
