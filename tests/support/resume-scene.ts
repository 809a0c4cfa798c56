/** One gateway, and a writer on it whose connection nothing happens to. */
import { once } from "node:events";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, type TestClient } from "./client.ts";
import { EVENTS_SECRET } from "./events.ts";
import { startGateway, type TestGateway } from "./gateway.ts";
import { SendMessageDocument } from "./generated/graphql.ts";
import { MESSAGES, visit } from "./returning-client.ts";

const [, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

/** A subscription to one chat, in which everybody is. */
export const OF_TEAM = { query: MESSAGES, variables: { chatId: team } };

export async function send(client: TestClient, contents: readonly string[], chatId: string = team): Promise<void> {
  for (const content of contents) await client.run(SendMessageDocument, { chatId, content });
}

/**
 * The same. Resolves when the gateway has delivered them: a subscription that begins sooner, on a busy machine with Redis, may receive what was
 * sent just before.
 */
export async function sendSeen({ gateway, writer }: Scene, contents: readonly string[]): Promise<void> {
  await using witness = await visit(gateway.wsUrl, bob.token, { connectionParams: { streamStates: true } });
  const { socket } = witness.socket;
  const seen = witness.socket.start(OF_TEAM);
  const isLive = (): boolean => witness.socket.messages.some((message) => message.includes('"state":"live"'));
  while (!isLive()) await once(socket, "message");
  await send(writer, contents);
  for (let count = 0; count < contents.length; count++) await seen.next();
}

/** As many at a time as a connection may have under way. */
export async function sendAtOnce(client: TestClient, contents: readonly string[]): Promise<void> {
  for (let start = 0; start < contents.length; start += 90) {
    await Promise.all(contents.slice(start, start + 90).map((content) => send(client, [content])));
  }
}

export interface Scene extends AsyncDisposable {
  readonly gateway: TestGateway;
  /** Bob, whose connection nothing happens to. */
  readonly writer: TestClient;
}

export async function createScene(
  environment: Readonly<Record<string, string>> = {},
  bus?: Bus<BusEvent>,
): Promise<Scene> {
  await using starting = new AsyncDisposableStack();
  const gateway = starting.use(await startGateway({ EVENTS_SECRET, ...environment }, bus && { bus }));
  const writer = starting.use(connect(gateway.wsUrl, bob.token));
  await writer.acknowledged;
  const running = starting.move();
  return { gateway, writer, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
