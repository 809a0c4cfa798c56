/** The sockets of ws, with the connections that they belong to: their listeners are the same for all of them, since each has some. */
import { WebSocket, type RawData } from "ws";
import type { Connection } from "./connection.ts";

export class ClientSocket extends WebSocket {
  #connection: Connection | undefined;

  /** What arrives is the connection's from now on. */
  bindTo(connection: Connection): void {
    this.#connection = connection;
    this.on("message", onMessage).on("ping", onPing).on("pong", onPong).on("close", onClose);
  }

  static connectionOf(socket: WebSocket): Connection | undefined {
    return socket instanceof ClientSocket ? socket.#connection : undefined;
  }
}

function onMessage(this: WebSocket, data: RawData): void {
  const connection = ClientSocket.connectionOf(this);
  // What a client sends after its connection was closed is not executed, even where the close has not arrived yet.
  if (!connection?.isOpen) return;
  // Of what ws may give it gives a Buffer: `binaryType` is its default.
  connection.arrivals.message(data instanceof Buffer ? data.toString() : "");
}

function onPing(this: WebSocket, data: Buffer): void {
  ClientSocket.connectionOf(this)?.arrivals.ping(data);
}

function onPong(this: WebSocket, data: Buffer): void {
  const connection = ClientSocket.connectionOf(this);
  // What the gateway has asked for is not charged.
  if (connection?.heartbeat.onPong(data) === false) connection.arrivals.control();
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  ClientSocket.connectionOf(this)?.closed(code, reason.toString());
}
