/** Stock clients that lose their sockets, in every way in which that happens: nothing is missing, in order, and no code of theirs is needed. */
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { STOCK_CLIENTS, type StockClient } from "../clients/stock-clients.ts";
import { connect, type TestClient } from "../support/client.ts";
import { tell } from "../support/events.ts";
import type { TestGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MarkReadDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  type ReadReceiptSubscription,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { startInstances, type Instances } from "../support/backplane.ts";
import { startRelay, type Relay } from "../support/relay.ts";
import { numbered, Transcript } from "../support/transcript.ts";

const [alice, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

/** Everything that a client has to live through, on a stage of its own. */
interface Stage {
  readonly instances: Instances;
  /** Between the client and its gateway. */
  readonly relay: Relay;
  /** The gateway that the client is connected to at first. */
  readonly home: TestGateway;
  /** Sends numbered messages, from an instance that nothing happens to, each with a receipt. */
  readonly send: (count: number) => Promise<void>;
  /** Resolves when no instance has a connection of the client's user any more. */
  readonly gone: () => Promise<void>;
  /** The token that the client is to use next. */
  token: string;
}

interface Loss {
  readonly name: string;
  /** Of the client's first gateway. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Loses the connection, and sends three messages that the client cannot get before it is back. */
  readonly lose: (stage: Stage) => Promise<void>;
}

const LOSSES: readonly Loss[] = [
  {
    name: "cut",
    async lose({ relay, send }) {
      relay.cut();
      relay.freeze();
      await send(3);
      relay.thaw();
    },
  },
  {
    name: "frozen: what is written into the half-open socket goes nowhere",
    async lose({ relay, send }) {
      relay.freeze();
      await send(3);
      relay.cut();
      relay.thaw();
    },
  },
  {
    name: "frozen until the gateway takes it for dead",
    environment: { HEARTBEAT_INTERVAL: "1000" },
    async lose({ relay, send, gone }) {
      relay.freeze();
      await send(2);
      // The client hears of it when the relay lets it.
      await gone();
      await send(1);
      relay.thaw();
    },
  },
  {
    name: "sent to another instance",
    async lose({ relay, send, instances }) {
      relay.redirect(portOf(instances.other));
      relay.freeze();
      await send(2);
      relay.cut();
      await send(1);
      relay.thaw();
    },
  },
  {
    name: "let go with 1012 by a gateway that stops, with another in its place",
    async lose({ relay, send, instances, home }) {
      const next = await instances.start();
      relay.redirect(portOf(next));
      const closed = home.close();
      await send(3);
      await closed;
    },
  },
  {
    name: "let go with 4403, and back with another token of the same user",
    async lose(stage) {
      stage.token = stage.instances.api.data.issueToken(alice.id);
      const told = tell(stage.home, { type: "user.signed_out", data: { userId: alice.id } });
      await stage.send(3);
      await told;
    },
  },
];

function portOf({ url }: TestGateway): number {
  return Number(new URL(url).port);
}

async function createStage(environment: Readonly<Record<string, string>> = {}): Promise<Stage & AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const instances = starting.use(await startInstances({ PRESENCE_GRACE: "0" }));
  const home = await instances.start(environment);
  const relay = starting.use(await startRelay(home.wsUrl));
  const writer: TestClient = starting.use(connect(instances.one.wsUrl, bob.token));
  const presence = Transcript.of(
    writer.subscribe(PresenceChangedDocument),
    ({ presenceChanged: { user, online } }) => `${user.id} ${online}`,
  );
  const running = starting.move();
  let sent = 0;
  return {
    instances,
    relay,
    home,
    token: alice.token,
    gone: () => presence.has(`${alice.id} false`),
    async send(count) {
      for (const content of numbered("a", sent + 1, sent + count)) {
        await writer.run(SendMessageDocument, { chatId: team, content });
        // Past the gateways, for Bob to read: one cannot read what one has written.
        const { id: messageId } = instances.api.data.addMessage({ chatId: team, senderId: alice.id, content });
        await writer.run(MarkReadDocument, { chatId: team, messageId });
      }
      sent += count;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function followMessages(client: StockClient, variables: { chatId?: string } = {}): Transcript {
  return Transcript.of(client.subscribe(MessageAddedDocument, variables), ({ messageAdded }) => messageAdded.content);
}

function followReceipts(results: { next(): Promise<ReadReceiptSubscription> }): Transcript {
  return Transcript.of(results, ({ readReceipt }) => String(readReceipt.messageId));
}

/** Each connection's part goes up by one, and none begins later than where the one before it has ended. */
function expectWhole(transcript: Transcript, count: number, losses: number): void {
  expect(transcript.distinct).toEqual(numbered("a", 1, count));
  const steps = transcript.all.map((content) => Number(content.slice(1)));
  const returns = steps.filter((step, index) => step !== (steps[index - 1] ?? 0) + 1);
  expect(returns.length, `${transcript.all.join(" ")}: repetitions begin at a return alone`).toBeLessThanOrEqual(
    losses,
  );
}

describe.each(STOCK_CLIENTS)("$name", ({ connect: open }) => {
  test.each(LOSSES)("$name", async ({ lose, environment }) => {
    await using stage = await createStage(environment);
    const { url } = stage.instances.one;
    await using client = open({ url, wsUrl: stage.relay.url, token: () => stage.token });
    const ofOne = followMessages(client, { chatId: team });
    const ofAll = followMessages(client);
    const receipts = followReceipts(client.subscribe(ReadReceiptDocument, {}));
    await using reference = connect(stage.instances.other.wsUrl, bob.token);
    const allReceipts = followReceipts(reference.subscribe(ReadReceiptDocument, {}));
    await Promise.all([client.settled(), reference.run(ChatsDocument)]);
    await stage.send(3);
    await Promise.all([ofOne.has("a3"), ofAll.has("a3")]);
    await lose(stage);
    await stage.send(1);
    await Promise.all([ofOne.has("a7"), ofAll.has("a7")]);
    await stage.send(1);
    await Promise.all([ofOne.has("a8"), ofAll.has("a8")]);
    // A heartbeat may take a client for dead that is only slow.
    const losses = environment ? stage.relay.accepted - 1 : 1;
    expectWhole(ofOne, 8, losses);
    expectWhole(ofAll, 8, losses);
    await allReceipts.count(8);
    await receipts.has(...allReceipts.all);
    expect(receipts.distinct).toEqual(allReceipts.all);
  });
});
