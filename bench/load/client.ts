/** One WebSocket connection of the load, on a bare TCP socket. */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { encodeFrame, encodeText, Opcode, scanFrames } from "./frames.ts";
import type { Protocol } from "./protocols.ts";

export interface ClientOptions {
  readonly port: number;
  readonly user: number;
  readonly token: string;
  readonly protocol: Protocol;
  /** Where sockets read into: one for all, since each reads and is done with it within one callback. */
  readonly buffer: Buffer;
  /** Gets every text; the payload is `data` from `start` to before `end`, valid during the call only. */
  readonly onText: (client: Client, data: Buffer, start: number, end: number) => void;
}

const END_OF_HEAD = "\r\n\r\n";

export class Client {
  readonly user: number;
  readonly #options: ClientOptions;
  readonly #socket: Socket;
  readonly #ready = Promise.withResolvers<void>();
  /** The beginning of a frame, or of the answer to the upgrade, whose end has not come yet. */
  #rest: Buffer | undefined;
  #isUpgraded = false;
  #isClosedByUs = false;
  #isLost = false;
  #pings = 0;
  #closeReason = "";

  constructor(options: ClientOptions) {
    this.#options = options;
    this.user = options.user;
    const { port, buffer } = options;
    const read = (length: number, data: Uint8Array): boolean => {
      this.#read(Buffer.from(data.buffer, data.byteOffset, length));
      return true;
    };
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true, onread: { buffer, callback: read } });
    this.#socket.on("connect", () => this.#socket.write(upgradeRequest(options)));
    this.#socket.on("error", (error) => this.#ready.reject(error));
    this.#socket.on("close", () => this.#onClose());
  }

  /** Resolves when the server has said that this user is authenticated; rejects where it closes instead. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Whether the connection ended without {@link close}. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Of WebSocket's own. */
  get pings(): number {
    return this.#pings;
  }

  /** The server has said that this user is authenticated. */
  markReady(): void {
    this.#ready.resolve();
  }

  /** Sends texts, each a frame of its own, in one write. */
  send(texts: readonly string[]): void {
    this.#socket.write(texts.length === 1 ? encodeText(texts[0] ?? "") : Buffer.concat(texts.map(encodeText)));
  }

  /** At once, with a reset, so that the port is free again. */
  close(): void {
    this.#isClosedByUs = true;
    this.#socket.resetAndDestroy();
  }

  #onClose(): void {
    this.#isLost = !this.#isClosedByUs;
    this.#ready.reject(new Error(`the server closed the connection of user ${this.user}${this.#closeReason}`));
  }

  #read(chunk: Buffer): void {
    let data = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = undefined;
    if (!this.#isUpgraded) {
      const head = data.indexOf(END_OF_HEAD);
      if (head === -1) {
        this.#rest = Buffer.from(data);
        return;
      }
      this.#upgraded(data.toString("latin1", 0, head));
      data = data.subarray(head + END_OF_HEAD.length);
    }
    const read = scanFrames(data, data.length, (opcode, frames, start, end) =>
      this.#onFrame(opcode, frames, start, end),
    );
    // Copied: the buffer is the next socket's.
    if (read < data.length) this.#rest = Buffer.from(data.subarray(read));
  }

  #upgraded(head: string): void {
    if (!head.startsWith("HTTP/1.1 101")) {
      this.#ready.reject(new Error(`the upgrade was answered with ${head.split("\r\n", 1)[0] ?? ""}`));
      this.#socket.destroy();
      return;
    }
    this.#isUpgraded = true;
    this.send([this.#options.protocol.hello(this.#options.token)]);
  }

  #onFrame(opcode: number, data: Buffer, start: number, end: number): void {
    if (opcode === Opcode.text) this.#options.onText(this, data, start, end);
    else if (opcode === Opcode.ping) this.#pong(data.subarray(start, end));
    else if (opcode === Opcode.close) {
      this.#closeReason = `: ${end - start < 2 ? "" : data.readUInt16BE(start)} ${data.toString("utf8", start + 2, end)}`;
      this.#socket.destroy();
    }
  }

  #pong(data: Buffer): void {
    this.#pings++;
    this.#socket.write(encodeFrame(Opcode.pong, data));
  }
}

function upgradeRequest({ protocol, port }: ClientOptions): string {
  const lines = [
    `GET ${protocol.path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    ...(protocol.subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol.subprotocol}`]),
  ];
  return lines.join("\r\n") + END_OF_HEAD;
}
