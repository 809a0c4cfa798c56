import type { Connection } from "./connection.ts";

/**
 * Pings a socket every `intervalMs` and drops it when a ping has not been answered by the next: a half-open connection looks
 * alive until something is sent.
 *
 * @returns stops it.
 */
export function startHeartbeat(connection: Connection, intervalMs: number): () => void {
  const { socket } = connection;
  let isAnswered = true;
  socket.on("pong", () => (isAnswered = true));
  const timer = setInterval(() => {
    // One that is closing has a timeout of its own, and of one that is paused no pong is read.
    if (socket.readyState !== socket.OPEN || (socket.isPaused && !connection.isThrottled)) return;
    if (!isAnswered) {
      socket.terminate();
      return;
    }
    isAnswered = false;
    socket.ping();
  }, intervalMs);
  return () => clearInterval(timer);
}
