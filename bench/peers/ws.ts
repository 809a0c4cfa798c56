/** `ws` alone: a message is stringified once and sent to each member's socket. No GraphQL; the heartbeat of the guide. */
import { createServer } from "node:http";
import { WebSocketServer, type WebSocket } from "ws";
import { announce } from "./support/announce.ts";
import { Backend, type Viewer } from "./support/backend.ts";
import { decode, encode, type ClientFrame } from "./support/frames.ts";

const HEARTBEAT_MS = 30_000;

const backend = new Backend();
const rooms = new Map<string, Set<WebSocket>>();
const alive = new WeakSet<WebSocket>();
const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on("connection", (socket) => {
  let viewer: Viewer | undefined;
  alive.add(socket);
  socket.on("pong", () => alive.add(socket));
  socket.on("error", () => undefined);
  socket.on("close", () => viewer && leave(socket, viewer));
  socket.on("message", (data: Buffer) => {
    const frame = decode(data.toString());
    handle(socket, viewer, frame)
      .then((known) => (viewer = known))
      .catch((error: unknown) => socket.send(encode({ type: "failed", reason: String(error) })));
  });
});

async function handle(socket: WebSocket, viewer: Viewer | undefined, frame: ClientFrame): Promise<Viewer> {
  if (frame.type === "hello") {
    const known = await backend.authenticate(frame.token);
    socket.send(encode({ type: "ready", userId: known.id }));
    return known;
  }
  if (!viewer) throw new Error("say hello first");
  if (frame.type === "join") join(socket, viewer);
  else await send(socket, viewer, frame);
  return viewer;
}

function join(socket: WebSocket, viewer: Viewer): void {
  for (const chatId of viewer.chatIds) {
    const room = rooms.get(chatId) ?? new Set();
    rooms.set(chatId, room.add(socket));
  }
}

function leave(socket: WebSocket, viewer: Viewer): void {
  for (const chatId of viewer.chatIds) rooms.get(chatId)?.delete(socket);
}

async function send(socket: WebSocket, viewer: Viewer, frame: ClientFrame & { type: "send" }): Promise<void> {
  const message = await backend.persist(viewer, frame.chatId, frame.content);
  const text = encode({ type: "message", message });
  for (const member of rooms.get(frame.chatId) ?? []) member.send(text);
  socket.send(encode({ type: "sent", id: frame.id, messageId: message.id }));
}

setInterval(() => {
  for (const socket of sockets.clients) {
    if (!alive.delete(socket)) {
      socket.terminate();
      continue;
    }
    socket.ping();
  }
}, HEARTBEAT_MS);

server.listen(0, "127.0.0.1", 4096, () => announce(server.address()));
