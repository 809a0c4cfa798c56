/** A WebSocket that says nothing by itself: literal frames out, messages and the close in, in queues that a test can wait for. */
import { once } from "node:events";
import { WebSocket, type ClientOptions } from "ws";

/** A message of the protocol, as the gateway sent it. */
export interface RawMessage {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

export interface RawSocket extends AsyncDisposable {
  readonly socket: WebSocket;
  /** An object as JSON, a text as it is, bytes in a binary frame. */
  send(...frames: readonly (object | string | Buffer)[]): void;
  /** The next message. Rejects where the socket is closed instead. */
  next(): Promise<RawMessage>;
  /** The closing handshake's code and reason; 1006 where there was no handshake. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export interface RawOptions extends ClientOptions {
  /** `graphql-transport-ws` where absent. Without any, a header can ask for one, and ws does not look at the answer. */
  readonly protocols?: string[];
}

/** Resolves when the socket is open; rejects where the upgrade is refused. */
export async function openRaw(url: string, options: RawOptions = {}): Promise<RawSocket> {
  const socket = newSocket(url, options);
  const raw = queued(socket);
  await once(socket, "open");
  return raw;
}

/** As {@link openRaw}, with `connection_init` sent and `connection_ack` taken. */
export async function openAcknowledged(
  url: string,
  token: string | undefined,
  options: RawOptions = {},
): Promise<RawSocket> {
  const raw = await openRaw(url, options);
  raw.send({ type: "connection_init", payload: { token } });
  const { type } = await raw.next();
  if (type !== "connection_ack") throw new Error(`expected connection_ack, got ${type}`);
  return raw;
}

/** The status with which an upgrade request is answered: 101, or why not. */
export async function upgradeStatus(url: string, options: RawOptions = {}): Promise<number | undefined> {
  const socket = newSocket(url, options);
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.once("upgrade", ({ statusCode }) => {
      resolve(statusCode);
      socket.once("open", () => socket.terminate());
    });
    socket.once("unexpected-response", (request, { statusCode }) => {
      resolve(statusCode);
      request.destroy();
    });
  });
}

function newSocket(url: string, { protocols = ["graphql-transport-ws"], ...options }: RawOptions): WebSocket {
  return new WebSocket(url, protocols, options);
}

function queued(socket: WebSocket): RawSocket {
  const waiting: RawMessage[] = [];
  let wanted: PromiseWithResolvers<RawMessage> | undefined;
  let end: { readonly code: number; readonly reason: string } | undefined;
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const closedInstead = (): Error => new Error(`closed with ${end?.code} ${end?.reason}`);
  socket.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString()) as RawMessage;
    if (wanted) wanted.resolve(message);
    else waiting.push(message);
    wanted = undefined;
  });
  socket.on("close", (code, reason) => {
    end = { code, reason: reason.toString() };
    closed.resolve(end);
    wanted?.reject(closedInstead());
  });
  // A close follows every error, and says more.
  socket.on("error", () => undefined);
  return {
    socket,
    closed: closed.promise,
    send(...frames) {
      for (const frame of frames) {
        socket.send(typeof frame === "string" || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
      }
    },
    async next() {
      const head = waiting.shift();
      if (head) return head;
      if (end) throw closedInstead();
      wanted = Promise.withResolvers<RawMessage>();
      return wanted.promise;
    },
    async [Symbol.asyncDispose]() {
      if (socket.readyState !== socket.CLOSED) socket.terminate();
      await closed.promise;
    },
  };
}
