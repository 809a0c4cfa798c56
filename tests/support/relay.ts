/** A TCP relay with faults on demand: between a client and the gateway, or between the gateway and what it depends on. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Passes bytes on, both ways. Every fault acts on the connections that are open and on those to come, until it is taken back;
 * faults may be combined. While a fault holds bytes up nothing more is read, so that the sender feels it as it would on a network.
 */
export interface Relay extends AsyncDisposable {
  /** The target's address with the relay's port in the place of its own. */
  readonly url: string;
  readonly port: number;
  /** Connections that are open. */
  readonly connections: number;
  /** Connections that have ever been taken. */
  readonly accepted: number;
  /** Resets every open connection, at both ends; new ones are taken. */
  cut(): void;
  /** Holds every byte, and the end of a connection too: to either side the other has fallen silent. */
  freeze(): void;
  /** What was held goes on. */
  thaw(): void;
  /** Holds whatever arrives together for so long; 0 takes it back. */
  delay(delayMs: number): void;
  /** Lets so many bytes a second through, on each connection in each direction; Infinity takes it back. */
  throttle(bytesPerSecond: number): void;
  /** Sends new connections to another port of the target's host; open ones stay where they are. */
  redirect(port: number): void;
}

/** What every byte meets on its way; changed while bytes are under way. */
interface Conditions {
  delayMs: number;
  bytesPerSecond: number;
  /** Bytes wait for it; undefined where nothing is frozen. */
  frozen: PromiseWithResolvers<void> | undefined;
}

/** How often a second a throttled direction lets a piece through. */
const PIECES_PER_SECOND = 20;

/**
 * Starts a relay on a free port of 127.0.0.1. Where the target refuses a connection the relay takes it and closes it again.
 *
 * @param targetUrl any address with a host and a port: `ws:`, `http:`, `redis:`.
 */
export async function startRelay(targetUrl: string): Promise<Relay> {
  const target = new URL(targetUrl);
  let targetPort = Number(target.port);
  const conditions: Conditions = { delayMs: 0, bytesPerSecond: Infinity, frozen: undefined };
  const open = new Set<Connection>();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    accepted++;
    const far = connect({ host: target.hostname, port: targetPort, allowHalfOpen: true, noDelay: true });
    const connection = new Connection(near, far, conditions);
    open.add(connection);
    void connection.closed.then(() => open.delete(connection));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    for (const connection of open) connection.reset();
  };
  const thaw = (): void => {
    conditions.frozen?.resolve();
    conditions.frozen = undefined;
  };
  return {
    url: Object.assign(new URL(target), { hostname: "127.0.0.1", port: String(port) }).href,
    port,
    get connections() {
      return open.size;
    },
    get accepted() {
      return accepted;
    },
    cut,
    freeze: () => void (conditions.frozen ??= Promise.withResolvers()),
    thaw,
    delay: (delayMs) => void (conditions.delayMs = delayMs),
    throttle: (bytesPerSecond) => void (conditions.bytesPerSecond = bytesPerSecond),
    redirect: (otherPort) => void (targetPort = otherPort),
    async [Symbol.asyncDispose]() {
      cut();
      thaw();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Two sockets and a pipe in each direction. */
class Connection {
  readonly closed: Promise<void>;
  readonly #sockets: readonly [Socket, Socket];
  readonly #gone = new AbortController();

  constructor(near: Socket, far: Socket, conditions: Conditions) {
    this.#sockets = [near, far];
    const { signal } = this.#gone;
    // A socket that fails takes the other along: a reset is passed on as one, as far as an end can tell.
    for (const socket of this.#sockets) socket.once("error", () => this.reset());
    this.closed = Promise.all([pipe(near, far, conditions, signal), pipe(far, near, conditions, signal)])
      // Ended by both sides: a reset now would take back what is not read yet.
      .then(() => this.#sockets.forEach((socket) => void socket.destroy()))
      .catch(() => this.reset());
  }

  reset(): void {
    this.#gone.abort();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}

/** Resolves when `from` has ended and `to` was told. Rejects where either is gone before. */
async function pipe(from: Socket, to: Socket, conditions: Conditions, signal: AbortSignal): Promise<void> {
  const chunks: AsyncIterable<Buffer> = from.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    if (conditions.delayMs > 0) await sleep(conditions.delayMs, undefined, { signal });
    for (let start = 0; start < chunk.length;) {
      await conditions.frozen?.promise;
      const length = await pieceLength(conditions, signal);
      if (!to.write(chunk.subarray(start, start + length))) await once(to, "drain", { signal });
      start += length;
    }
  }
  await conditions.frozen?.promise;
  await new Promise<void>((resolve) => to.end(resolve));
}

/** How many bytes may go now, after the time that they take. */
async function pieceLength({ bytesPerSecond }: Conditions, signal: AbortSignal): Promise<number> {
  if (bytesPerSecond === Infinity) return Infinity;
  await sleep(1000 / PIECES_PER_SECOND, undefined, { signal });
  return Math.max(1, Math.floor(bytesPerSecond / PIECES_PER_SECOND));
}
