/** The TCP connections of the HTTP server, WebSockets and SSE streams included. */
import type { Socket } from "node:net";

export class Sockets {
  readonly #open = new Set<Socket>();
  /** Those on which nothing has been asked yet. */
  readonly #silent = new Set<Socket>();

  add(socket: Socket): void {
    this.#open.add(socket);
    this.#silent.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#silent.delete(socket);
    });
  }

  /** Something is asked on it. */
  note(socket: Socket): void {
    this.#silent.delete(socket);
  }

  dropSilent(): void {
    for (const socket of this.#silent) socket.destroy();
  }

  /** Resolves when none of those that are open is left. */
  async closed(): Promise<void> {
    await Promise.all([...this.#open].map((socket) => new Promise<void>((resolve) => socket.once("close", resolve))));
  }

  /** Drops all of them, at once. */
  terminate(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
