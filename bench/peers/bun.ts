/** Bun's own WebSocket server: members subscribe to a topic for each chat, a message is published to the topic. */
import process, { stdout } from "node:process";
import { Backend, restUrl, type Viewer } from "./support/backend.ts";
import type { Request } from "./support/requests.ts";
import { decode, encode, type ClientFrame } from "./support/frames.ts";

/** As much of Bun's types as is used here. */
interface ServerWebSocket {
  data: { viewer?: Viewer };
  send(text: string): number;
  subscribe(topic: string): void;
}
interface BunServer {
  readonly port: number;
  upgrade(request: Request, options: { data: object }): boolean;
  publish(topic: string, text: string): number;
}
interface ServeOptions {
  readonly hostname: string;
  readonly port: number;
  readonly fetch: (request: Request, server: BunServer) => Response | undefined;
  readonly websocket: { readonly message: (socket: ServerWebSocket, text: string) => void };
}
declare const Bun: { serve(options: ServeOptions): BunServer; gc(force: boolean): void };

const url = restUrl();
const backend = new Backend(async (method, path, token, body) => {
  const headers = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) };
  const answer = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`the REST API answered ${answer.status}`);
  return answer.json();
});

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, self) =>
    self.upgrade(request, { data: {} }) ? undefined : new Response("Upgrade required", { status: 426 }),
  websocket: {
    message(socket, text) {
      handle(socket, decode(text)).catch((error: unknown) =>
        socket.send(encode({ type: "failed", reason: String(error) })),
      );
    },
  },
});

async function handle(socket: ServerWebSocket, frame: ClientFrame): Promise<void> {
  if (frame.type === "hello") {
    const viewer = await backend.authenticate(frame.token);
    socket.data.viewer = viewer;
    socket.send(encode({ type: "ready", userId: viewer.id }));
    return;
  }
  const { viewer } = socket.data;
  if (!viewer) throw new Error("say hello first");
  if (frame.type === "join") for (const chatId of viewer.chatIds) socket.subscribe(chatId);
  else await send(socket, viewer, frame);
}

async function send(socket: ServerWebSocket, viewer: Viewer, frame: ClientFrame & { type: "send" }): Promise<void> {
  const message = await backend.persist(viewer, frame.chatId, frame.content);
  server.publish(frame.chatId, encode({ type: "message", message }));
  socket.send(encode({ type: "sent", id: frame.id, messageId: message.id }));
}

// What `instruments.ts` is for the others.
process.on("message", ({ type }: Request) => {
  if (type === "collect") Bun.gc(true);
  process.send?.({});
});
stdout.write(`${JSON.stringify({ port: server.port })}\n`);
