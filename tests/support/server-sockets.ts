/** The server's end of connections within this process: what waits there to be sent, and what is asked of the operating system. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

export interface ServerSockets extends Disposable {
  /** The other end of a client's connection. Throws where no server of this process has it. */
  of(client: Socket): Socket;
}

/** Knows every connection that a server of this process takes from now on. */
export function watchServerSockets(): ServerSockets {
  const sockets = new Set<Socket>();
  const onConnection = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  subscribe("net.server.socket", onConnection);
  return {
    of(client) {
      for (const socket of sockets) {
        if (socket.remotePort === client.localPort && socket.localPort === client.remotePort) return socket;
      }
      throw new Error("no server of this process has that connection");
    },
    [Symbol.dispose]: () => unsubscribe("net.server.socket", onConnection),
  };
}

/** How libuv is told to write. Each call tries one system call, and needs no second where the kernel has room. */
const WRITES = ["writev", "writeBuffer", "writeUtf8String", "writeAsciiString", "writeLatin1String", "writeUcs2String"];

/** Counts the writes of one socket from now on. */
export function countWrites(socket: Socket): { readonly count: number } {
  let count = 0;
  const { _handle: handle } = socket as unknown as {
    readonly _handle: Record<string, (...args: unknown[]) => unknown>;
  };
  for (const name of WRITES) {
    const write = handle[name];
    if (!write) throw new Error(`a handle of this Node.js has no ${name}`);
    handle[name] = (...args) => {
      count++;
      return write.apply(handle, args);
    };
  }
  return {
    get count() {
      return count;
    },
  };
}
