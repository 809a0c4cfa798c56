/** The end of a gateway, as its clients see it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Fanout } from "../fanout/fanout.ts";
import type { EventStreams } from "./http/event-streams.ts";
import type { HttpServer } from "./http/http-server.ts";
import type { WebSockets } from "./websocket/websocket.ts";

/** How long clients that do not finish the closing handshake, and requests that are not answered, may hold up the end. */
const CLOSE_GRACE_MS = 3500;

interface DrainOptions {
  readonly http: HttpServer;
  readonly webSockets: WebSockets;
  readonly streams: EventStreams;
  readonly fanout: Fanout;
  readonly windowMs: number;
  /** Whether a load balancer may be in front: it is given the window to look elsewhere. */
  readonly isBalanced: boolean;
}

/** Lets the clients go over `windowMs`. Resolves, 3.5 s after that at the latest, when nothing is served any more. */
export async function drain({ http, webSockets, streams, fanout, windowMs, isBalanced }: DrainOptions): Promise<void> {
  const fuse = new AbortController();
  const { signal } = fuse;
  const isAsked = isBalanced && http.isInUse();
  http.drain();
  const gone = (async () => {
    await Promise.all([
      webSockets.drain(windowMs),
      streams.drain(windowMs),
      // Requests come until the load balancer has seen that the instance is not ready.
      isAsked ? delay(windowMs) : undefined,
    ]);
    await fanout.close();
    http.stop();
    await Promise.all([webSockets.closed(), http.closed()]);
    fuse.abort();
  })();
  await Promise.race([gone, delay(windowMs + CLOSE_GRACE_MS, undefined, { signal }).catch(() => undefined)]);
  http.stop();
  webSockets.terminate();
  http.terminate();
  // What is cut off tells the domain of it by closing.
  await Promise.all([webSockets.closed(), http.closed()]);
}
