/** A server whose network dies at the worst moment: after something else has arrived, and before the pong. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { Queue } from "./queue.ts";

export interface PonglessServer extends AsyncDisposable {
  readonly url: string;
  /** One item for each connection, when it is acknowledged. */
  readonly acknowledged: Queue<true>;
}

/** Acknowledges every connection. A client's first ping is followed by a ping of the server's, and by silence. */
export async function startPonglessServer(): Promise<PonglessServer> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  const acknowledged = new Queue<true>();
  server.on("connection", (socket) => {
    let isSilent = false;
    socket.on("message", (data: Buffer) => {
      const { type } = JSON.parse(data.toString()) as { readonly type: string };
      if (type === "connection_init") {
        socket.send('{"type":"connection_ack"}');
        acknowledged.push(true);
      }
      if (type !== "ping" || isSilent) return;
      isSilent = true;
      socket.send('{"type":"ping"}');
    });
  });
  await once(server, "listening");
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    acknowledged,
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
