/** Everybody is cut off at once and comes back at once. */
import { expect, test } from "vitest";
import { openGraphQLSocket, type GraphQLSocket, type RawResults } from "../support/graphql-socket.ts";
import { startGateway } from "../support/gateway.ts";
import { startRelay } from "../support/relay.ts";
import { MESSAGES, RECEIPTS } from "../support/returning-client.ts";
import { overHttp } from "../support/runner.ts";
import { MarkReadDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { contentOf } from "../sessions/scene.ts";
import { numbered } from "../support/transcript.ts";

const USERS = 20;
const DEVICES = 8;
const CACHE_TTL_MS = 5000;

/** A device: what it has received over all its connections. */
interface Device {
  readonly userId: string;
  readonly name: string;
  readonly parts: RawResults[];
  socket: GraphQLSocket | undefined;
}

/** Connects and subscribes as it did before. */
async function arrive(device: Device, wsUrl: string, token: string): Promise<void> {
  device.socket = await openGraphQLSocket(wsUrl, token);
  device.parts.push(device.socket.start({ query: MESSAGES }, `messages of device ${device.name}`));
  device.socket.start({ query: RECEIPTS }, `receipts of device ${device.name}`);
  await device.socket.run({ query: "{ me { id } }" });
}

/** Resolves when the device has so many messages in all. */
async function received(device: Device, last: string): Promise<readonly string[]> {
  for (let content; content !== last;) content = contentOf((await device.parts.at(-1)?.next()) ?? "");
  return device.parts.flatMap(({ all }) => all.map(contentOf));
}

test("all are back and have everything, in order; the REST API is asked once for each token, and for no history", async () => {
  await using gateway = await startGateway();
  const { data, faults, users } = gateway.api;
  const members = Array.from({ length: USERS }, (_, n) => data.createUser({ name: `User ${n}` }));
  const [alice] = users;
  const participants = [...members, ...users].map(({ id }) => id);
  const { id: chatId } = data.createChat({ participants });
  await using relay = await startRelay(gateway.wsUrl);
  await using writer = overHttp(gateway.url, alice?.token);
  const devices = members.flatMap((user, n) =>
    Array.from({ length: DEVICES }, (_, k): Device => {
      return { userId: user.id, name: `${n}-${k}`, parts: [], socket: undefined };
    }),
  );
  await using _ = {
    [Symbol.asyncDispose]: async () => devices.forEach(({ socket }) => socket?.socket.terminate()),
  };
  const tokens = new Map(members.map(({ id, token }) => [id, token]));
  const arriveAll = async (): Promise<void> => {
    await Promise.all(devices.map((device) => arrive(device, relay.url, tokens.get(device.userId) ?? "")));
  };
  const send = async (content: string): Promise<string> =>
    (await writer.run(SendMessageDocument, { chatId, content })).sendMessage.id;
  await arriveAll();
  for (const content of numbered("a", 1, 3)) await send(content);
  await Promise.all(devices.map((device) => received(device, "a3")));

  relay.cut();
  for (const content of numbered("a", 4, 6)) await send(content);
  const read = data.addMessage({ chatId, senderId: members[0]?.id ?? "", content: "read me" });
  await writer.run(MarkReadDocument, { chatId, messageId: read.id });
  // Nothing that is known of the old ones helps.
  for (const { id } of members) tokens.set(id, data.issueToken(id));
  faults.requests.clear();
  const startedAt = performance.now();
  await arriveAll();
  // An answer about a token is good for so long.
  const periods = Math.ceil((performance.now() - startedAt) / CACHE_TTL_MS);
  await send("a7");
  const all = await Promise.all(devices.map((device) => received(device, "a7")));
  for (const [index, contents] of all.entries()) {
    expect([...new Set(contents)], `device ${devices[index]?.name}`).toEqual(numbered("a", 1, 7));
  }
  for (const { socket, name } of devices) {
    const receipts = socket?.messages.filter((text) => text.includes(`"id":"receipts of device ${name}"`));
    expect(receipts, `receipts of ${name}`).toEqual([expect.stringContaining(read.id)]);
  }
  const asked = (path: RegExp | string, token: string): number => faults.requests.count({ method: "GET", path, token });
  for (const token of tokens.values()) {
    for (const path of ["/auth/profile", "/chats"]) expect(asked(path, token)).toBeLessThanOrEqual(periods);
    expect(asked(/\/messages/, token)).toBe(0);
  }
});
