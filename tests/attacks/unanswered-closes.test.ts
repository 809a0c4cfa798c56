/** Clients that do not answer the gateway's close frame: their sockets are cut, whatever else they do. */
import { once } from "node:events";
import { expect, test } from "vitest";
import { socketOptions } from "../../src/server/websocket/socket-options.ts";
import { startBystanders } from "../support/bystanders.ts";
import { clientFrame, Opcode } from "../support/client-frames.ts";
import { openOf } from "../support/fuzz/leftovers.ts";
import { startGateway } from "../support/gateway.ts";
import { rawConnection, rawUpgrade, type RawConnection } from "../support/tcp.ts";

const message = (value: object): Buffer => clientFrame(JSON.stringify(value));

/** Has the gateway close it, and resolves when the close frame has come, which only a client that reads can know. */
async function beClosed(client: RawConnection, isReading: boolean): Promise<void> {
  const { socket } = client;
  let text = "";
  socket.on("data", (chunk: string) => (text += chunk));
  client.send(rawUpgrade());
  await once(socket, "data");
  if (!isReading) socket.pause();
  // No operation may come before the acknowledgement.
  socket.write(message({ id: "1", type: "subscribe", payload: { query: "{ me { id } }" } }));
  if (!isReading) return;
  while (!text.includes("Unauthorized")) await once(socket, "data");
}

test.each<[what: string, isReading: boolean, goesOn: (socket: RawConnection["socket"]) => NodeJS.Timeout | undefined]>([
  ["says nothing more", true, () => undefined],
  ["does not read", false, () => undefined],
  ["goes on sending messages", true, (socket) => setInterval(() => socket.write(message({ type: "ping" })), 50)],
  [
    "goes on with a message without an end",
    true,
    (socket) => {
      socket.write(clientFrame("x", { final: false }));
      return setInterval(() => socket.write(clientFrame("x", { opcode: Opcode.continuation, final: false })), 50);
    },
  ],
])("an unanswered close ends a client that %s", async (_what, isReading, goesOn) => {
  await using gateway = await startGateway({ ADMIN_PORT: "0" });
  await using others = await startBystanders(gateway.wsUrl);
  await using silent = await rawConnection(gateway.url);
  // A reset, where it has sent what nobody read.
  silent.socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => silent.socket.once("end", resolve).once("close", resolve));
  await beClosed(silent, isReading);
  const timer = goesOn(silent.socket);
  try {
    await others.talk(3);
    // With no help of the client's: a paused socket tells of its end when it reads again.
    await expect.poll(() => openOf(gateway.adminUrl ?? "")).toMatchObject({ connections: 2 });
  } finally {
    clearInterval(timer);
  }
  silent.socket.resume();
  await closed;
  expect(await others.talk(3)).toEqual(others.sent);
  expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
});

test("a client has three seconds for its side of the closing handshake", () => {
  expect(socketOptions({ COMPRESSION: false, MAX_PAYLOAD_SIZE: 1 }).closeTimeout).toBe(3000);
});
