/** One WebSocket that sends what was made up to a gateway, and looks at every answer. */
import { connect, type Socket } from "node:net";
import { clientFrame, Opcode } from "../client-frames.ts";
import { rawUpgrade } from "../tcp.ts";
import { Harm, harmIn } from "./harm.ts";
import type { Conversation, Input } from "./inputs.ts";
import { patiently } from "./patience.ts";
import { ServerFrames } from "./server-frames.ts";

/** A gateway under attack. */
export interface Target {
  /** The GraphQL endpoint. */
  readonly url: string;
  readonly isCompressed: boolean;
  /** Of two users. */
  readonly tokens: readonly string[];
}

/** What became of a connection. */
export interface Outcome {
  /** Inputs that the gateway has read, at least. */
  readonly inputs: number;
  /** Undefined where the gateway has not closed it. */
  readonly closeCode: number | undefined;
}

/** What is sent at once: the gateway closes a connection of which more than 256 KiB wait. */
const MAX_BATCH_INPUTS = 50;
const MAX_BATCH_LENGTH = 100_000;

const HEAD_END = "\r\n\r\n";
const PONG = '{"type":"pong","payload":{"fuzz":';
const LAST_ID = "fuzz-last";

/** Resolves when the connection is over. @throws Harm */
export async function converse(target: Target, conversation: Conversation): Promise<Outcome> {
  const first = await new Attacker(target, conversation).run();
  if (!conversation.comesBack) return first;
  const second = await new Attacker(target, conversation).run();
  return { inputs: first.inputs + second.inputs, closeCode: second.closeCode };
}

class Attacker {
  readonly #target: Target;
  readonly #conversation: Conversation;
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  readonly #frames = new ServerFrames((opcode, payload) => this.#frame(opcode, payload));
  #head = "";
  #isUpgraded = false;
  #isAcknowledged = false;
  #isLastAnswered = false;
  #isEnded = false;
  /** Batches that the gateway has read. */
  #confirmed = 0;
  #closeCode: number | undefined;
  #harm: Harm | undefined;
  #look: (() => void) | undefined;

  constructor(target: Target, conversation: Conversation) {
    this.#target = target;
    this.#conversation = conversation;
    const { hostname, port } = new URL(target.url);
    this.#socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const end = (): void => {
      this.#isEnded = true;
      this.#look?.();
    };
    this.#closed = new Promise((resolve) => this.#socket.once("close", () => resolve()));
    // A close follows.
    this.#socket.on("error", () => undefined);
    this.#socket.on("data", (chunk) => this.#receive(chunk));
    this.#socket.once("end", end).once("close", end);
  }

  async run(): Promise<Outcome> {
    try {
      const offer = this.#target.isCompressed ? { "sec-websocket-extensions": "permessage-deflate" } : {};
      this.#write(rawUpgrade("/graphql", offer));
      await this.#until("the upgrade", () => this.#isUpgraded);
      await this.#open();
      const inputs = await this.#send();
      await this.#end();
      if (this.#harm) throw this.#harm;
      // What the gateway closes a connection for it has read.
      const closing = this.#closeCode === undefined ? 0 : 1;
      return { inputs: inputs + closing, closeCode: this.#closeCode };
    } finally {
      this.#socket.destroy();
      await this.#closed;
    }
  }

  async #open(): Promise<void> {
    const { opening, payload, user, clientId } = this.#conversation;
    if (opening === "none") return;
    const right = { token: this.#target.tokens[user], clientId, streamStates: true };
    this.#message({ type: "connection_init", payload: opening === "wrong" ? payload : right });
    if (opening === "acknowledged") await this.#until("connection_ack", () => this.#isAcknowledged);
  }

  /** Resolves to the number of inputs that the gateway has read. */
  async #send(): Promise<number> {
    const { inputs } = this.#conversation;
    let sent = 0;
    for (let batch = 1; sent < inputs.length && !this.#isEnded; batch++) {
      const next = sent + batchSize(inputs, sent);
      this.#write(Buffer.concat(inputs.slice(sent, next).map(({ frame }) => frame)));
      this.#message({ type: "ping", payload: { fuzz: batch } });
      await this.#until(`batch ${batch}`, () => this.#confirmed >= batch);
      if (this.#confirmed < batch) break;
      sent = next;
    }
    return sent;
  }

  async #end(): Promise<void> {
    const { last, ending } = this.#conversation;
    if (last) this.#write(last);
    if (ending === "vanish" || this.#isEnded) return;
    if (!last) {
      this.#message({ type: "subscribe", id: LAST_ID, payload: { query: "{ me { id } }" } });
      await this.#until("the last operation", () => this.#isLastAnswered);
    }
    if (ending === "close") this.#write(clientFrame(Buffer.from([0x03, 0xe8]), { opcode: Opcode.close }));
    // Whatever the gateway waits for now, no more will come.
    this.#socket.end();
    await this.#until("the end", () => false);
  }

  #message(message: object): void {
    this.#write(clientFrame(JSON.stringify(message)));
  }

  #write(data: Buffer | string): void {
    if (this.#socket.writable) this.#socket.write(data);
  }

  /** Resolves where the connection ends, too. @throws Harm where the gateway does not answer. */
  async #until(what: string, condition: () => boolean): Promise<void> {
    if (this.#isEnded || condition()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#look = () => {
      if (this.#isEnded || condition()) resolve();
    };
    await patiently(what, promise);
  }

  #receive(chunk: Buffer): void {
    if (this.#isUpgraded) this.#frames.push(chunk);
    else {
      this.#head += chunk.toString("latin1");
      const end = this.#head.indexOf(HEAD_END);
      this.#isUpgraded = end >= 0;
      if (this.#isUpgraded) this.#frames.push(Buffer.from(this.#head.slice(end + HEAD_END.length), "latin1"));
    }
    this.#look?.();
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.ping) this.#write(clientFrame(payload, { opcode: Opcode.pong }));
    if (opcode === Opcode.close) this.#noteClose(payload);
    if (opcode !== Opcode.text) return;
    const text = payload.toString();
    if (text.startsWith(PONG)) this.#confirmed = Number.parseInt(text.slice(PONG.length), 10);
    this.#isAcknowledged ||= text.startsWith('{"type":"connection_ack"');
    this.#isLastAnswered ||= text.includes(`"id":"${LAST_ID}"`);
    this.#harm ??= harmIn(text);
  }

  #noteClose(payload: Buffer): void {
    this.#closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
    const reason = payload.toString("utf8", 2);
    // 1011 is what an exception in a library closes with.
    if (this.#closeCode === 4500 || this.#closeCode === 1011) {
      this.#harm ??= new Harm(`the gateway closed with ${this.#closeCode} ${reason}`);
    }
    this.#write(clientFrame(payload, { opcode: Opcode.close }));
    // The gateway may not read it: it is over for this client.
    this.#isEnded = true;
  }
}

function batchSize(inputs: readonly Input[], start: number): number {
  let [count, length] = [0, 0];
  while (count < MAX_BATCH_INPUTS && start + count < inputs.length) {
    length += inputs[start + count]?.length ?? 0;
    if (count > 0 && length > MAX_BATCH_LENGTH) break;
    count++;
  }
  return count;
}
