/** TCP connections that say what a test wants, and end when it wants. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawConnection extends AsyncDisposable {
  readonly socket: Socket;
  /** Sends a text as it is. */
  send(text: string): void;
  /** Resolves to everything received when the other side has said its last. Rejects where the connection breaks. */
  readonly received: Promise<string>;
}

/**
 * Connects to the host and port of an address. It never ends its own side by itself. Disposing it destroys it.
 *
 * @throws Error where nobody listens.
 */
export async function rawConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const received = once(socket, "end").then(() => text);
  // Whether anybody waits for it or not.
  received.catch(() => undefined);
  return {
    socket,
    send: (data) => void socket.write(data),
    received,
    [Symbol.asyncDispose]: async () => {
      socket.on("error", () => undefined).destroy();
    },
  };
}

/** A request without a body. */
export function rawRequest(path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ host: "localhost", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** What asks for a graphql-transport-ws socket. */
export function rawUpgrade(path = "/graphql", headers: Readonly<Record<string, string>> = {}): string {
  return rawRequest(path, {
    ...headers,
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "graphql-transport-ws",
  });
}
