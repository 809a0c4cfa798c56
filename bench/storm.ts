/**
 * A reconnect storm: `node storm.ts [--people <n>]`. Everybody is cut off at once, a message is sent to each chat meanwhile, and everybody
 * comes back at once: how long it takes until each has got what it missed.
 */
import { performance } from "node:perf_hooks";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Client } from "./load/client.ts";
import { graphqlTransportWs as protocol } from "./load/protocols.ts";
import { describeMachine } from "./machine.ts";
import { openStage, PEERS, type Stage } from "./peers.ts";
import { quantile } from "./report/statistics.ts";
import { membersOf, tokenOf, type World } from "./world.ts";

const CHAT_SIZE = 10;
const AT_ONCE = 64;
/** Enough for whatever the machine is. */
const PATIENCE_MS = 60_000;
const MISSED = "missed";

/** One user's connections, one after the other, with the same operation id and payload: what a stock client does. */
class Returning {
  readonly #port: number;
  readonly #user: number;
  readonly #buffer: Buffer;
  readonly #subscription = protocol.listen("all");
  #client: Client | undefined;
  /** Resolves to when the message came, by the process's clock. */
  readonly caughtUp = Promise.withResolvers<number>();

  constructor(port: number, user: number, buffer: Buffer) {
    this.#port = port;
    this.#user = user;
    this.#buffer = buffer;
  }

  async connect(): Promise<void> {
    const client = new Client({
      port: this.#port,
      user: this.#user,
      token: tokenOf(this.#user),
      protocol,
      buffer: this.#buffer,
      onText: (from, data, start, end) => this.#read(from, data.toString("utf8", start, end)),
    });
    this.#client = client;
    await client.ready;
    client.send(this.#subscription);
  }

  cut(): void {
    this.#client?.close();
  }

  #read(client: Client, text: string): void {
    if (protocol.read(text) === "ready") client.markReady();
    else if (text.includes(MISSED)) this.caughtUp.resolve(performance.now());
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { people: { type: "string", default: "5000" } } });
  const world: World = { people: Number(values.people), chatSize: CHAT_SIZE, chatsPerUser: 1 };
  const gateway = PEERS.find(({ name }) => name === "gateway");
  if (!gateway) throw new Error("the gateway is a peer");
  await using stage = await openStage(gateway, { world, persist: "rest" });
  const buffer = Buffer.allocUnsafeSlow(256 * 1024);
  const people = Array.from({ length: world.people }, (_, user) => new Returning(stage.server.port, user, buffer));
  await inTurns(people, (each) => each.connect());
  await stage.server.quiet();
  for (const each of people) each.cut();
  await stage.server.quiet();
  await sendToAll(stage, world);
  const cpuMs = stage.cpuMs();
  const start = performance.now();
  await Promise.all(people.map((each) => each.connect()));
  const ends = await Promise.race([
    Promise.all(people.map(({ caughtUp }) => caughtUp.promise)),
    delay(PATIENCE_MS, undefined, { ref: false }).then(() => {
      throw new Error("not everybody has got what was sent meanwhile");
    }),
  ]);
  const latencies = new Float64Array(ends.map((end) => end - start)).toSorted();
  const [p50, p99, last] = [0.5, 0.99, 1].map((share) => Math.round(quantile(latencies, share)));
  const cost = ((stage.cpuMs() - cpuMs) / world.people) * 1000;
  process.stdout.write(
    `${world.people} clients back at once, each with what it missed: p50 ${p50} ms, p99 ${p99} ms, the last ${last} ms; ` +
      `${Math.round(cost)} µs of the server's processor time each. ${JSON.stringify(describeMachine())}\n`,
  );
  for (const each of people) each.cut();
}

async function sendToAll({ server }: Stage, world: World): Promise<void> {
  const chats = Array.from({ length: world.people / CHAT_SIZE }, (_, group) => `c0-${group}`);
  await inTurns(chats, async (chatId) => {
    const [sender = 0] = membersOf(world, chatId);
    const query = `mutation { sendMessage(chatId: "${chatId}", content: "${MISSED}") { id } }`;
    const response = await fetch(`http://127.0.0.1:${server.port}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${tokenOf(sender)}` },
      body: JSON.stringify({ query }),
    });
    if (!(await response.text()).includes('"sendMessage"')) throw new Error("a message was not sent");
  });
}

async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

await main();
