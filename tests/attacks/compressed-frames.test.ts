/** Frames on a connection with `permessage-deflate`, by hand. Some versions of ws end the process over them. */
import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { startBystanders } from "../support/bystanders.ts";
import { clientFrame, compressedFrame } from "../support/client-frames.ts";
import { startGateway } from "../support/gateway.ts";
import { rawConnection, rawUpgrade } from "../support/tcp.ts";

/** Inflating it takes hundreds of turns of the event loop. */
const LARGE = compressedFrame(JSON.stringify({ type: "pong", payload: { filler: "x".repeat(16_000_000) } }));

test("a frame that is no UTF-8 and eight more bytes, while a message is inflated, end one connection alone", async () => {
  // In this process, so that what is read in which turn does not depend on how busy the machine is.
  await using gateway = await startGateway({ COMPRESSION: "true", MAX_PAYLOAD_SIZE: "16777216" });
  await using others = await startBystanders(gateway.wsUrl);
  await using attacker = await rawConnection(gateway.url);
  const ended = once(attacker.socket, "close");
  attacker.send(rawUpgrade("/graphql", { "sec-websocket-extensions": "permessage-deflate" }));
  await once(attacker.socket, "data");
  for (const bytes of [LARGE, clientFrame(Buffer.from([0xc3, 0x28])), Buffer.alloc(8)]) {
    await new Promise((resolve) => attacker.socket.write(bytes, resolve));
    // It is read in a chunk of its own.
    for (let count = 0; count < 10; count++) await turn();
  }
  attacker.socket.end();
  await ended;
  expect(await others.talk(3)).toEqual(others.sent);
});
