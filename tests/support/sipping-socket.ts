/** A graphql-transport-ws client that reads a few bytes at a time, one sip a turn of the event loop. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Writable } from "node:stream";
import * as ws from "ws";
import { Conversation } from "./graphql-socket.ts";
import { rawUpgrade } from "./tcp.ts";

/** What ws exports and its types do not know. */
const { Receiver, Sender } = ws as unknown as {
  readonly Receiver: new (options: { readonly isServer: boolean }) => Writable;
  readonly Sender: { frame(data: Buffer, options: object): Buffer[] };
};

export interface SippingSocket extends AsyncDisposable {
  readonly transport: Socket;
  readonly conversation: Conversation;
}

/** Resolves when the connection is acknowledged. It offers no compression. */
export async function openSippingSocket(
  wsUrl: string,
  token: string | undefined,
  sipBytes: number,
): Promise<SippingSocket> {
  const { hostname, port } = new URL(wsUrl);
  const receiver = new Receiver({ isServer: false });
  let head = "";
  let isUpgraded = false;
  const transport: Socket = connect({
    host: hostname,
    port: Number(port),
    onread: {
      // Not more than this is asked of the operating system at once.
      buffer: Buffer.alloc(sipBytes),
      callback(bytes, buffer) {
        const sip = Buffer.from(buffer.subarray(0, bytes));
        if (isUpgraded) receiver.write(sip);
        else takeHead(sip);
        setImmediate(() => transport.resume());
        return false;
      },
    },
  });
  function takeHead(sip: Buffer): void {
    head += sip.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end === -1) return;
    isUpgraded = true;
    receiver.write(Buffer.from(head.slice(end + 4), "latin1"));
  }
  await once(transport, "connect");
  transport.write(rawUpgrade());
  const conversation = new Conversation((text) => {
    const masked = { fin: true, opcode: 1, mask: true, rsv1: false, readOnly: false };
    for (const part of Sender.frame(Buffer.from(text), masked)) transport.write(part);
  });
  receiver.on("message", (data: Buffer) => conversation.take(data.toString()));
  transport.on("error", () => undefined).on("close", () => conversation.end());
  await conversation.open(token);
  return {
    transport,
    conversation,
    [Symbol.asyncDispose]: async () => void transport.destroy(),
  };
}
