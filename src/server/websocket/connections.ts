/** The connections of this instance, and how they end with it. */
import { CloseCode } from "./close-codes.ts";
import { connectionsOf, countConnections, type ConnectionCounts, type ConnectionReport } from "./connection-counts.ts";
import type { Connection } from "./connection.ts";

export class Connections {
  readonly #open = new Set<Connection>();

  get size(): number {
    return this.#open.size;
  }

  /** A user's. Looks at each of all. */
  of(userId: string): readonly ConnectionReport[] {
    return connectionsOf(userId, this.#open);
  }

  /** Looks at each. */
  count(): ConnectionCounts {
    return countConnections(this.#open);
  }

  add(connection: Connection): void {
    this.#open.add(connection);
  }

  delete(connection: Connection): void {
    this.#open.delete(connection);
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
}
