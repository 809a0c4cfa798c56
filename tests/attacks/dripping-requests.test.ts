/** Requests that go on and on: a byte now and then is no progress. */
import { expect, test } from "vitest";
import { startBystanders } from "../support/bystanders.ts";
import { startGateway } from "../support/gateway.ts";
import { rawConnection } from "../support/tcp.ts";

const UPGRADE = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Filler: ";
const POST =
  "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
const DRIP_MS = 25;

test.each([
  ["headers", "GET /graphql HTTP/1.1\r\nHost: "],
  ["upgrade", UPGRADE],
  ["body", POST],
])("a connection that sends its %s byte by byte is cut, and nobody else's", async (_what, beginning) => {
  await using gateway = await startGateway({ REQUEST_TIMEOUT: "500" });
  await using others = await startBystanders(gateway.wsUrl);
  await using slow = await rawConnection(gateway.url);
  // What comes after the end is answered with a reset.
  slow.socket.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => slow.socket.once("end", resolve).once("close", resolve));
  slow.send(beginning);
  const drip = setInterval(() => slow.send("x"), DRIP_MS);
  await others.talk(3);
  await ended.finally(() => clearInterval(drip));
  expect(await others.talk(3)).toEqual(others.sent);
  expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
});
