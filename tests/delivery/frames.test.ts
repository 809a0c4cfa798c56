/** Frames made by hand are what a WebSocket client of others' making takes them for. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { idText, NextFrames, type Frame, nextMessage, textFrame } from "../../src/server/websocket/frames.ts";
import { Inbox } from "../support/inbox.ts";

const closing = new AsyncDisposableStack();
let transport: Socket;
let client: WebSocket;
const received = new Inbox<string>();

beforeAll(async () => {
  const server = new WebSocketServer({ port: 0, perMessageDeflate: false });
  closing.defer(() => server.close());
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[WebSocket, IncomingMessage]>;
  client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  closing.defer(() => client.terminate());
  client.on("message", (data: Buffer, isBinary: boolean) => received.put(isBinary ? "binary" : data.toString()));
  client.on("error", (error) => received.put(String(error)));
  const [, request] = await accepted;
  transport = request.socket;
});

afterAll(() => closing.disposeAsync());

/** What a client makes of each frame. */
async function readBack(frames: readonly Buffer[]): Promise<readonly string[]> {
  transport.write(Buffer.concat(frames));
  return received.take(frames.length);
}

function bytesOf(frame: Frame): Buffer {
  const bytes = Buffer.alloc(frame.length);
  frame.copyTo(bytes, 0);
  return bytes;
}

/** What is around the data in a `next` message with this id and a payload of ASCII. */
function payloadFor(id: string, messageBytes: number): string {
  const around = Buffer.byteLength(nextMessage(id, '{"data":""}'));
  return `{"data":"${"x".repeat(Math.max(0, messageBytes - around))}"}`;
}

const anyId = fc.string({ unit: "binary", minLength: 1, maxLength: 40 });
const anyIds = fc.array(
  fc.oneof(anyId, fc.uuid(), fc.constantFrom('"', "\\", "\u0000", "\ud800", "é", "🙂", "\u2028")),
  {
    minLength: 1,
    maxLength: 8,
  },
);
const anyJson = fc
  .oneof(
    fc.json(),
    fc.string({ unit: "binary", maxLength: 300 }).map((text) => JSON.stringify({ data: text })),
  )
  .filter((json) => json.isWellFormed());

test("a next message arrives as the message that it is, whatever the payload and the ids", async () => {
  await fc.assert(
    fc.asyncProperty(anyIds, fc.array(anyJson, { minLength: 1, maxLength: 4 }), async (ids, payloads) => {
      const frames = new NextFrames();
      const sent = payloads.flatMap((json) => {
        // One object for all who get it: what is kept of it is told apart by it.
        const payload = { json };
        return ids.map((id) => ({ id, json, frame: bytesOf(frames.frame(idText(id), payload)) }));
      });
      const texts = await readBack(sent.map(({ frame }) => frame));
      for (const [index, { id, json }] of sent.entries()) {
        expect(JSON.parse(texts[index] ?? "")).toEqual({ id, type: "next", payload: JSON.parse(json) });
        expect(texts[index]?.endsWith(`"type":"next","payload":${json}}`)).toBe(true);
      }
    }),
    { numRuns: 200, seed: 20_260_131 },
  );
});

test("every length of a message is framed rightly, and the id put in its place", async () => {
  const lengths = [
    ...Array.from({ length: 1100 }, (_, index) => 60 + index),
    8703,
    8704,
    8800,
    8959,
    8960,
    ...Array.from({ length: 20 }, (_, index) => 65_526 + index),
    65_826,
    100_000,
    0x22_22_22,
  ];
  const frames = new NextFrames();
  for (const length of lengths) {
    const payload = { json: payloadFor("first", length) };
    const texts = await readBack([frames.frame("first", payload), frames.frame("other", payload)].map(bytesOf));
    expect(Buffer.byteLength(texts[0] ?? ""), "the length that was meant").toBe(length);
    const wrong = ["first", "other"].filter((id, index) => texts[index] !== nextMessage(id, payload.json));
    expect(wrong, `ids in messages of ${length} bytes`).toEqual([]);
  }
});

test("any text arrives as it is", async () => {
  const sizes = fc.oneof(
    fc.integer({ min: 0, max: 200 }),
    fc.integer({ min: 120, max: 130 }),
    fc.integer({ min: 65_530, max: 65_540 }),
  );
  await fc.assert(
    fc.asyncProperty(sizes, fc.constantFrom("a", "é", "🙂"), async (size, unit) => {
      const text = unit.repeat(Math.ceil(size / Buffer.byteLength(unit))) + "!";
      expect(await readBack([textFrame(text)])).toEqual([text]);
    }),
    { numRuns: 200, seed: 20_260_131 },
  );
});
