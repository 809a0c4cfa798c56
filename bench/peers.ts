/** Who is measured: how each server is started and what its clients speak. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { EVENTS_SECRET } from "../tests/support/events.ts";
import { graphqlTransportWs, jsonFrames, socketIo, type Protocol } from "./load/protocols.ts";
import { freePort, LOAD_CORE, SERVER_CORE, Server, type Command } from "./processes.ts";
import type { World } from "./world.ts";

export type PeerName = "gateway" | "against" | "recipe-redis" | "recipe-memory" | "socket.io" | "ws" | "bun";

export interface Peer {
  readonly name: PeerName;
  readonly title: string;
  readonly protocol: Protocol;
  /** The file of `peers/`; the gateway's own where absent. */
  readonly file?: string;
  /** The checkout of a gateway; this one where absent. */
  readonly root?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it needs a Redis server. */
  readonly redis?: true;
}

export const GATEWAY_ROOT = fileURLToPath(new URL("../", import.meta.url));
export const BUN = fileURLToPath(new URL("node_modules/.bin/bun", import.meta.url));

const GATEWAY: Peer = { name: "gateway", title: "this gateway", protocol: graphqlTransportWs };

export const PEERS: readonly Peer[] = [
  GATEWAY,
  {
    name: "recipe-redis",
    title: "Yoga + graphql-ws + withFilter, RedisPubSub",
    protocol: graphqlTransportWs,
    file: "recipe.ts",
    env: { PUBSUB: "redis" },
    redis: true,
  },
  {
    name: "recipe-memory",
    title: "Yoga + graphql-ws + withFilter, PubSub in memory",
    protocol: graphqlTransportWs,
    file: "recipe.ts",
  },
  { name: "socket.io", title: "Socket.IO rooms", protocol: socketIo, file: "socket-io.ts" },
  { name: "ws", title: "bare ws", protocol: jsonFrames, file: "ws.ts" },
  { name: "bun", title: "Bun's ServerWebSocket.publish", protocol: jsonFrames, file: "bun.ts" },
];

/** The gateway of this checkout, and that of another one, which is installed. */
export function gatewayPair(root: string): readonly [Peer, Peer] {
  return [GATEWAY, { ...GATEWAY, name: "against", title: root, root }];
}

export interface StageOptions {
  readonly world: World;
  /** Whether a message is persisted by the REST API. The gateway always does that. */
  readonly persist: "rest" | "local";
  /** Where a profile of the server is to be written; of a server that runs in Node.js. */
  readonly profile?: string | undefined;
  /** So many servers that are one over a Redis; a single one, with a Redis only where the peer needs it, where absent. */
  readonly instances?: number | undefined;
  /** In the place of the stub, which answers no history. */
  readonly restUrl?: string;
}

/** One server under test, or several, with what stands behind. */
export interface Stage extends AsyncDisposable {
  readonly peer: Peer;
  readonly world: World;
  /** The first of them. */
  readonly server: Server;
  readonly servers: readonly Server[];
  readonly redis: Server | undefined;
  readonly restUrl: string;
  /** Processor time of all servers so far, in ms. */
  cpuMs(): number;
}

/** Starts the REST stub, Redis where it is needed, and the peer; each new, so that nobody inherits anything. */
export async function openStage(peer: Peer, options: StageOptions): Promise<Stage> {
  const { world, persist, instances, profile } = options;
  await using opening = new AsyncDisposableStack();
  const restUrl = options.restUrl ?? `http://127.0.0.1:${opening.use(await Server.start(restCommand(world))).port}`;
  const env: Record<string, string> = { REST_URL: restUrl, PERSIST: persist, ...peer.env };
  let redis: Server | undefined;
  if (peer.redis || instances !== undefined) {
    redis = opening.use(await startRedis(await freePort()));
    env["REDIS_PORT"] = String(redis.port);
  }
  const servers: Server[] = [];
  for (let count = 0; count < (instances ?? 1); count++) {
    servers.push(opening.use(await Server.start({ ...(await commandOf(peer, env)), profile })));
  }
  const [server] = servers;
  if (!server) throw new Error("a stage has a server");
  const opened = opening.move();
  return {
    peer,
    world,
    server,
    servers,
    redis,
    restUrl,
    cpuMs: () => servers.reduce((sum, each) => sum + each.cpuMs(), 0),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function restCommand(world: World): Command {
  return {
    file: process.execPath,
    args: [peerFile("rest-api.ts")],
    env: { WORLD: JSON.stringify(world) },
    core: LOAD_CORE,
  };
}

/** On the load's core: it stands for another machine, and its processor time is not the recipe's. */
export async function startRedis(port: number): Promise<Server> {
  const args = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--loglevel",
    "warning",
  ];
  return Server.start({ file: "redis-server", args, core: LOAD_CORE, port: { number: port } });
}

async function commandOf(peer: Peer, env: Readonly<Record<string, string>>): Promise<Command> {
  if (peer.name === "bun") return { file: BUN, args: [peerFile("bun.ts")], env, core: SERVER_CORE };
  const instruments = ["--import", peerFile("instruments.ts")];
  if (peer.file !== undefined) {
    return { file: process.execPath, args: [...instruments, peerFile(peer.file)], env, core: SERVER_CORE };
  }
  const port = await freePort();
  return {
    file: process.execPath,
    args: [...instruments, ...startArguments(peer.root ?? GATEWAY_ROOT)],
    env: gatewayEnvironment(env, port),
    core: SERVER_CORE,
    port: { number: port, path: "/ready" },
  };
}

/** What `npm start` gives to Node.js. */
function startArguments(root: string): readonly string[] {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: { start: string } };
  const words = manifest.scripts.start.split(" ");
  const args = words.slice(words.indexOf("node") + 1);
  return args.map((argument) => (argument.startsWith("src/") ? join(root, argument) : argument));
}

function gatewayEnvironment(env: Readonly<Record<string, string>>, port: number): Record<string, string> {
  const redisPort = env["REDIS_PORT"];
  return {
    ...(redisPort === undefined ? {} : { REDIS_URL: `redis://127.0.0.1:${redisPort}` }),
    PORT: String(port),
    HOST: "127.0.0.1",
    HTTP_API_URL: env["REST_URL"] ?? "",
    RATE_LIMIT_MESSAGES: "999999999/10s",
    RATE_LIMIT_OPERATIONS: "999999999/10s",
    MAX_CONNECTIONS_PER_USER: "100000",
    LOG_LEVEL: "warn",
    EVENTS_SECRET,
  };
}

function peerFile(name: string): string {
  return fileURLToPath(new URL(`peers/${name}`, import.meta.url));
}
