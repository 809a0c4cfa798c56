/**
 * The heap of idle connections: `node heap.ts [--people <n>] [--peer <name>] [--brief]`. Each has the four subscriptions of an open chat
 * frontend. Two snapshots, before and after most of them connect, are compared by constructor: bytes and objects of each connection.
 * With `--brief` only the heap that is in use is compared.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Crowd, range } from "./load/crowd.ts";
import { openStage, PEERS } from "./peers.ts";
import type { Server } from "./processes.ts";
import { heapByConstructor, type Share } from "./report/heap.ts";

/** Connections before the first look, so that what is made once is not counted. */
const WARM_UP = 1000;
const CHAT_SIZE = 10;
/** Longer than what is cached of tokens. */
const SETTLE_MS = 11_000;
/** For each connection; what has less is not listed. */
const MIN_BYTES = 8;
/** What there are fewer of is not of the connections. */
const MIN_COUNT = 0.3;

interface State {
  readonly bytes: number;
  readonly shares: ReadonlyMap<string, Share>;
}

async function stateOf(server: Server, file: string | undefined): Promise<State> {
  await delay(SETTLE_MS);
  const bytes = await server.heapBytes();
  if (file === undefined) return { bytes, shares: new Map() };
  await server.snapshot(file);
  return { bytes, shares: heapByConstructor(readFileSync(file, "utf8")) };
}

function tableOf(before: State, after: State, people: number): string {
  const rows = [...after.shares].map(([name, { bytes, count }]) => {
    const earlier = before.shares.get(name) ?? { bytes: 0, count: 0 };
    return { name, bytes: (bytes - earlier.bytes) / people, count: (count - earlier.count) / people };
  });
  const listed = rows.filter(({ bytes, count }) => bytes >= MIN_BYTES && count >= MIN_COUNT);
  return listed
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(
      ({ name, bytes, count }) => `${bytes.toFixed(0).padStart(6)} bytes ${count.toFixed(2).padStart(6)} ×  ${name}\n`,
    )
    .join("");
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      people: { type: "string", default: "2000" },
      peer: { type: "string", default: "gateway" },
      brief: { type: "boolean", default: false },
    },
  });
  const people = Number(values.people);
  const peer = PEERS.find(({ name }) => name === values.peer);
  if (!peer) throw new Error(`--peer: expected one of ${PEERS.map(({ name }) => name).join(", ")}`);
  const world = { people: people + WARM_UP, chatSize: CHAT_SIZE, chatsPerUser: 1 };
  const folder = mkdtempSync(join(tmpdir(), "heap-"));
  const fileOf = (name: string): string | undefined => (values.brief ? undefined : join(folder, name));
  try {
    await using stage = await openStage(peer, { world, persist: "rest" });
    using crowd = new Crowd({ ports: [stage.server.port], protocol: peer.protocol, world });
    const texts = peer.protocol.listen("four");
    const connect = async (users: readonly number[]): Promise<void> => {
      for (const client of await crowd.admit(users)) client.send(texts);
    };
    await connect(range(WARM_UP));
    const before = await stateOf(stage.server, fileOf("before"));
    await connect(range(people).map((user) => user + WARM_UP));
    const after = await stateOf(stage.server, fileOf("after"));
    const perConnection = (after.bytes - before.bytes) / people / 1024;
    process.stdout.write(
      `${perConnection.toFixed(2)} KiB of heap for each connection\n${tableOf(before, after, people)}`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await main();
