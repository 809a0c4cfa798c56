/** As much of Socket.IO's types as is used here, so that the project's checks do not need this folder's packages. */
declare module "socket.io" {
  import type { Server as HttpServer } from "node:http";

  /** What this folder's clients send. */
  interface Send {
    readonly chatId: string;
    readonly content: string;
  }

  interface Socket {
    readonly handshake: { readonly auth: Readonly<Record<string, unknown>> };
    readonly data: unknown;
    join(rooms: string[]): Promise<void> | void;
    on(event: "join", listener: () => void): this;
    on(event: "send", listener: (request: Send, acknowledge: (answer: object) => void) => void): this;
  }

  export class Server {
    constructor(server: HttpServer, options: { transports: readonly string[] });
    use(middleware: (socket: Socket, next: (error?: Error) => void) => void): this;
    on(event: "connection", listener: (socket: Socket) => void): this;
    to(room: string): { emit(event: string, ...args: unknown[]): boolean };
  }
}
