/** Socket.IO: members join a room for each chat, a message is emitted to the room. */
import { createServer } from "node:http";
import { Server } from "socket.io";
import { announce } from "./support/announce.ts";
import { Backend, type Viewer } from "./support/backend.ts";

type Send = { readonly chatId: string; readonly content: string };
type Acknowledge = (answer: object) => void;

const backend = new Backend();
const server = createServer();
const io = new Server(server, { transports: ["websocket"] });

io.use((socket, next) => {
  const { token } = socket.handshake.auth as { token: string };
  // oxlint-disable-next-line promise/no-callback-in-promise -- how Socket.IO's middlewares go on
  void authenticate(socket.data as { viewer?: Viewer }, token).then(next);
});

io.on("connection", (socket) => {
  const { viewer } = socket.data as { viewer: Viewer };
  socket.on("join", () => void socket.join([...viewer.chatIds]));
  socket.on("send", (request: Send, acknowledge: Acknowledge) => void send(viewer, request).then(acknowledge));
});

/** The error that refuses the connection, or nothing. */
async function authenticate(data: { viewer?: Viewer }, token: string): Promise<Error | undefined> {
  try {
    data.viewer = await backend.authenticate(token);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function send(viewer: Viewer, { chatId, content }: Send): Promise<object> {
  try {
    const message = await backend.persist(viewer, chatId, content);
    io.to(chatId).emit("message", message);
    return { messageId: message.id };
  } catch (error) {
    return { failed: String(error) };
  }
}

server.listen(0, "127.0.0.1", 4096, () => announce(server.address()));
