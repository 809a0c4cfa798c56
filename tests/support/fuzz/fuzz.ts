/** Sends what a hostile client may send to a gateway, and looks at what became of it. */
import { once } from "node:events";
import * as fc from "fast-check";
import type { DevApi } from "../../../src/dev/api.ts";
import { clientFrame } from "../client-frames.ts";
import { rawConnection, rawUpgrade } from "../tcp.ts";
import { frames, requests } from "./inputs.ts";

/** A gateway under attack. */
export interface Target {
  /** The GraphQL endpoint. */
  readonly url: string;
  readonly api: DevApi;
  readonly isCompressed: boolean;
}

/** Inputs of one attack: frames on a connection, or requests. */
const MAX_INPUTS = 40;

/** What no input may bring about. */
const FORBIDDEN = /INTERNAL_SERVER_ERROR/;

/** The code 4500 in a close frame of a server, before its reason. */
const CLOSE_4500 = Buffer.from([0x11, 0x94]);

export class Fuzz {
  /** Frames and requests that were sent. */
  inputs = 0;
  readonly #target: Target;
  readonly #token: string;

  constructor(target: Target) {
    this.#target = target;
    this.#token = target.api.users[0]?.token ?? "";
  }

  /** One connection, and some requests, of every kind that fast-check comes to. Rejects with the smallest input that did harm. */
  async run(seed: number, numRuns: number): Promise<void> {
    const { isCompressed } = this.#target;
    const connection = fc.record({
      isAuthenticated: fc.boolean(),
      sent: fc.array(frames(isCompressed), { minLength: 1, maxLength: MAX_INPUTS }),
    });
    const options = { seed, numRuns, endOnFailure: true };
    await fc.assert(
      fc.asyncProperty(connection, ({ isAuthenticated, sent }) => this.#connect(isAuthenticated, sent)),
      options,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 5 }), fc.boolean(), (sent, isAuthenticated) =>
        this.#request(isAuthenticated, sent),
      ),
      { ...options, numRuns: Math.ceil(numRuns / 4) },
    );
  }

  async #connect(isAuthenticated: boolean, sent: readonly Buffer[]): Promise<void> {
    const { url, isCompressed } = this.#target;
    await using connection = await rawConnection(url);
    const { socket } = connection;
    socket.setEncoding("latin1");
    socket.on("error", () => undefined);
    let received = "";
    socket.on("data", (text: string) => (received += text));
    const ended = once(socket, "close");
    const answered = (what: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (received.includes(what)) resolve();
        };
        socket.on("data", look);
        socket.once("end", () => resolve());
        socket.once("close", () => resolve());
        look();
      });
    connection.send(rawUpgrade("/graphql", isCompressed ? { "sec-websocket-extensions": "permessage-deflate" } : {}));
    await answered("\r\n\r\n");
    if (isAuthenticated) {
      socket.write(
        clientFrame(JSON.stringify({ type: "connection_init", payload: { token: this.#token, streamStates: true } })),
      );
      await answered("connection_ack");
    }
    for (const bytes of sent) if (socket.writable) socket.write(bytes);
    this.inputs += sent.length;
    // Answered when everything before it has been handled, unless the connection was closed for something.
    if (socket.writable) socket.write(clientFrame("fuzz-end", { opcode: 9 }));
    socket.end();
    await answered("fuzz-end");
    socket.destroy();
    await ended;
    if (FORBIDDEN.test(received) || Buffer.from(received, "latin1").includes(CLOSE_4500)) {
      throw new Error(`the gateway answered ${received.slice(-1000)}`);
    }
  }

  async #request(
    isAuthenticated: boolean,
    sent: readonly (RequestInit & { readonly search: string })[],
  ): Promise<void> {
    for (const { search, ...request } of sent) {
      const headers = new Headers(request.headers);
      if (isAuthenticated) headers.set("authorization", `Bearer ${this.#token}`);
      const aborter = new AbortController();
      const response = await fetch(`${this.#target.url}${search}`, { ...request, headers, signal: aborter.signal });
      this.inputs++;
      // A stream has no end: its beginning is looked at.
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
      const text = isStream ? "" : await response.text();
      aborter.abort();
      if (response.status >= 500 || FORBIDDEN.test(text)) throw new Error(`${response.status} ${text}`);
    }
  }
}
