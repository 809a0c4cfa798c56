/** Members of a chat of their own, on gateways in the test's process: what each receives, at which position, over which connection. */
import { randomUUID } from "node:crypto";
import { print } from "graphql";
import { expect } from "vitest";
import type { DevApi } from "../../src/dev/api.ts";
import { connect, type TestClient } from "../support/client.ts";
import type { TestGateway } from "../support/gateway.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import type { MessageAddedSubscription } from "../support/generated/graphql.ts";

/** For what comes about by itself, on a machine that has other things to do. */
export const PATIENTLY = { timeout: 30_000, interval: 20 };

export interface Member extends AsyncDisposable {
  readonly client: TestClient;
  /** Contents in the order of their arrival. */
  readonly contents: readonly string[];
  /** The same with their cursors, which name positions in the log. */
  readonly received: readonly string[];
  /** Times that the client was connected. */
  readonly connections: number;
  /** How the subscription ended by itself. */
  readonly end: string | undefined;
  /** Resolves when the REST API has the message and the sender was answered. */
  say(content: string): Promise<void>;
}

/** A chat with new people in it, and their tokens: one test does not receive what another sends. */
export function createChat({ data }: DevApi, ...names: readonly string[]): { chatId: string; tokens: string[] } {
  const users = names.map((name) => data.createUser({ name, token: randomUUID() }));
  const { id } = data.createChat({ participants: users.map((user) => user.id) });
  return { chatId: id, tokens: users.map(({ token }) => token) };
}

/** A client that follows a chat. Resolves when it receives what is sent from then on. */
export async function join({ wsUrl }: Pick<TestGateway, "wsUrl">, token: string, chatId: string): Promise<Member> {
  const live = Promise.withResolvers<void>();
  const client = connect(wsUrl, token, {
    retryAttempts: Infinity,
    shouldRetry: () => true,
    connectionParams: { token, streamStates: true },
    on: {
      ping: (isReceived, payload) => isReceived && isLive(payload) && live.resolve(),
    },
  });
  const contents: string[] = [];
  const received: string[] = [];
  let [connections, end]: [number, string | undefined] = [0, undefined];
  client.client.on("connected", () => connections++);
  client.client.subscribe<MessageAddedSubscription>(
    { query: print(MessageAddedDocument), variables: { chatId } },
    {
      next({ data }) {
        const { content = "", cursor = "" } = data?.messageAdded ?? {};
        contents.push(content);
        received.push(`${content} at ${cursor}`);
      },
      error: (error) => (end = JSON.stringify(error)),
      complete: () => (end ??= "completed"),
    },
  );
  await live.promise;
  return {
    client,
    contents,
    received,
    get connections() {
      return connections;
    },
    get end() {
      return end;
    },
    async say(content) {
      await client.run(SendMessageDocument, { chatId, content });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(client[Symbol.asyncDispose]()),
  };
}

/** Whether the gateway says that the subscription receives what is sent from now on. */
function isLive(payload: Readonly<Record<string, unknown>> | undefined): boolean {
  const subscription = payload?.["subscription"] as { readonly state?: unknown } | undefined;
  return subscription?.state === "live";
}

/** Says "name 1", "name 2", … until the promise is settled, at least so many and not more than can wait. Resolves to what was said. */
export async function sayUntil(member: Member, name: string, end: Promise<unknown>, atLeast = 10): Promise<string[]> {
  const said: string[] = [];
  const progress = { isOver: false };
  const over = (): void => void (progress.isOver = true);
  end.then(over, over);
  while (said.length < atLeast || !progress.isOver) {
    if (said.length < MAX_SAID) {
      const content = `${name} ${said.length + 1}`;
      await member.say(content);
      said.push(content);
    } else await member.client.run(MeDocument);
  }
  return said;
}

const MAX_SAID = 100;

/** Everybody has what was said, each sender's messages in the order of sending, all in one order, over one connection. */
export async function expectSame(members: readonly Member[], ...said: readonly (readonly string[])[]): Promise<void> {
  const count = said.flat().length;
  for (const { contents } of members) await expect.poll(() => contents.length, PATIENTLY).toBe(count);
  for (const { contents, received, connections, end } of members) {
    for (const ofOne of said) expect(contents.filter((content) => ofOne.includes(content))).toEqual(ofOne);
    expect(received).toEqual(members[0]?.received);
    expect([connections, end]).toEqual([1, undefined]);
  }
}

/** Resolves when a gateway answers `/ready` so. */
export async function answersReady({ url }: Pick<TestGateway, "url">, status: 200 | 503): Promise<void> {
  await expect.poll(async () => (await fetch(new URL("/ready", url))).status, PATIENTLY).toBe(status);
}
