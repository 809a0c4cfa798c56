/** The end of a gateway, as its clients see it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Fanout } from "../fanout/fanout.ts";
import type { HttpServer } from "./http/http-server.ts";
import type { WebSockets } from "./websocket/websocket.ts";

/** How long clients that do not finish the closing handshake, and requests that are not answered, may hold up the end. */
const CLOSE_GRACE_MS = 3500;

/** Lets the clients go over `windowMs`. Resolves, 3.5 s after that at the latest, when nothing is served any more. */
export async function drain(http: HttpServer, webSockets: WebSockets, fanout: Fanout, windowMs: number): Promise<void> {
  const fuse = new AbortController();
  http.drain();
  const gone = (async () => {
    await webSockets.drain(windowMs);
    // SSE streams are requests under way until they end.
    await fanout.close();
    http.stop();
    await Promise.all([webSockets.closed(), http.closed()]);
    fuse.abort();
  })();
  await Promise.race([
    gone,
    delay(windowMs + CLOSE_GRACE_MS, undefined, { signal: fuse.signal }).catch(() => undefined),
  ]);
  http.stop();
  webSockets.terminate();
  http.terminate();
  // What is cut off tells the domain of it by closing.
  await Promise.all([webSockets.closed(), http.closed()]);
}
