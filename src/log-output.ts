/** Where the lines of the log go: standard output, without waiting for whoever reads it. */
import type { Writable } from "node:stream";

/** Bytes that may wait for a reader that does not read. */
const MAX_WAITING_BYTES = 256 * 1024;

/**
 * Never blocks and never throws: what a reader that stands still does not take waits in bounded memory, what goes beyond that is dropped
 * and counted, and so is everything once nobody reads any more.
 */
export class LogOutput {
  readonly #stream: Writable;
  readonly #format: (line: string) => string;
  #isBroken = false;
  /** Lines that nobody will read. */
  dropped = 0;

  /** @param format is applied to each line before it is written. */
  constructor(stream: Writable, format = (line: string): string => line) {
    this.#stream = stream;
    this.#format = format;
    // A stream without a listener would end the process.
    if (stream.listenerCount("error") === 0) stream.on("error", () => undefined);
  }

  write(line: string): void {
    if (this.#isBroken || this.#stream.writableLength + line.length > MAX_WAITING_BYTES) {
      this.dropped++;
      return;
    }
    this.#stream.write(this.#format(line), (error) => {
      if (!error) return;
      this.#isBroken = true;
      this.dropped++;
    });
  }

  /** Calls back when everything so far has been taken, which may never be. */
  flush(callback: (error?: Error) => void): void {
    if (this.#isBroken || this.#stream.writableLength === 0) callback();
    else this.#stream.write("", () => callback());
  }
}
