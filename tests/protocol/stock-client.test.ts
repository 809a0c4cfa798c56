/** The third column of "Close codes": what a stock graphql-ws client does after a close, with nothing of its own but haste. */
import type { ClientOptions } from "graphql-ws";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { connect } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { Inbox } from "../support/inbox.ts";
import { ChatsDocument, MeDocument } from "../support/generated/graphql.ts";

/** Retries as a stock client does, only without its waits. */
const AT_ONCE: Partial<ClientOptions> = { retryAttempts: 1000, retryWait: async () => undefined };

const QUERY = JSON.stringify({ id: "x", type: "subscribe", payload: { query: "{ chats { id } }" } });
const SUBSCRIBE = JSON.stringify({
  id: "x",
  type: "subscribe",
  payload: { query: "subscription { messageAdded { id } }" },
});

describe("a stock client gives up", () => {
  test.each<[code: number, what: string, moment: "opened" | "connected", frames: readonly string[]]>([
    [4400, "a message that is not the protocol's", "connected", ["hello"]],
    [1009, "a message over MAX_PAYLOAD_SIZE", "connected", ["x".repeat(70_000)]],
    [4401, "an operation before connection_ack", "opened", [QUERY]],
    [4409, "an operation id in use", "connected", [SUBSCRIBE, SUBSCRIBE]],
    [4429, "a second connection_init", "connected", [JSON.stringify({ type: "connection_init" })]],
  ])("after %i for %s", async (expected, _what, moment, frames) => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    const gaveUp = Promise.withResolvers<unknown>();
    const connecting = new Inbox<boolean>();
    const misbehave = (socket: unknown): void => {
      for (const frame of frames) (socket as WebSocket).send(frame);
    };
    await using client = connect(gateway.wsUrl, bob?.token, {
      ...AT_ONCE,
      onNonLazyError: gaveUp.resolve,
      on: { connecting: connecting.put, [moment]: misbehave },
    });
    expect(await gaveUp.promise).toMatchObject({ code: expected });
    expect(client.client).toBeDefined();
    expect(connecting.all).toEqual([false]);
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });
});

describe("a stock client comes back", () => {
  test("after 4403, with what its connectionParams function gives next", async () => {
    await using gateway = await startDiscreetGateway({}, { secrets: ["the-first-token"] });
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    const tokens = ["the-first-token", bob?.token];
    await using client = connect(gateway.wsUrl, undefined, {
      ...AT_ONCE,
      connectionParams: () => ({ token: tokens.shift() }),
    });
    const asked = client.run(MeDocument);
    expect(await client.closed).toMatchObject({ code: 4403 });
    expect((await asked).me.id).toBe(bob?.id);
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("after 4408, when its connectionParams function has been too slow once", async () => {
    await using gateway = await startDiscreetGateway({ CONNECTION_INIT_TIMEOUT: "300" });
    const [alice] = gateway.api.users;
    const slow = new Promise<never>(() => undefined);
    const params = [slow];
    await using client = connect(gateway.wsUrl, undefined, {
      ...AT_ONCE,
      connectionParams: () => params.shift() ?? { token: alice?.token },
    });
    const asked = client.run(MeDocument);
    expect(await client.closed).toMatchObject({ code: 4408 });
    expect((await asked).me.id).toBe(alice?.id);
  });
});
