/** The faults of the runbook in docs/OPERATIONS.md, each brought about on a real gateway. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import { readFile } from "node:fs/promises";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { Writable } from "node:stream";
import { print } from "graphql";
import { vi } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { startDevApi } from "../../src/dev/api.ts";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { createLog } from "../../src/log.ts";
import { LogOutput } from "../../src/log-output.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, postEvent } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import { ChatsDocument, MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { postOperation } from "../support/http.ts";
import { START_COMMAND, startProcess, temporaryDirectory, type RunningProcess } from "../support/process.ts";
import { openAcknowledged } from "../support/raw-socket.ts";
import { addUser, asUser, rights, SERVER_COMMANDS } from "../support/redis-rights.ts";
import { createCertificate, startRedis, type RedisServer } from "../support/redis.ts";
import { rawConnection } from "../support/tcp.ts";

/** What an operator can look at while the fault lasts. */
export interface Watched {
  readonly url: string;
  readonly adminUrl: string | undefined;
  readonly logged: readonly Readonly<Record<string, unknown>>[];
}

/** Brings the fault about. It lasts until what it has put on the stack is disposed. */
type Scene = (until: AsyncDisposableStack) => Promise<Watched>;

type Environment = Readonly<Record<string, string>>;

const [alice, bob] = DEMO_USERS;
const ADMIN = { ADMIN_PORT: "0" };

async function startOn(until: AsyncDisposableStack, environment: Environment = {}): Promise<TestGateway> {
  return until.use(await startGateway({ ...ADMIN, HTTP_API_RETRIES: "1", ...environment }));
}

function ask({ url }: Watched, query = print(ChatsDocument), token = alice.token): Promise<unknown> {
  return postOperation(url, { query }, token);
}

/** Opens a connection that is refused. */
async function refused({ wsUrl }: TestGateway, token: string): Promise<void> {
  await using client = connect(wsUrl, token);
  await client.closed;
}

async function startOnRedis(until: AsyncDisposableStack): Promise<{ gateway: TestGateway; redis: RedisServer }> {
  const redis = until.use(await startRedis());
  const gateway = await startOn(until, { REDIS_URL: redis.url });
  await ask(gateway);
  return { gateway, redis };
}

/** Redis refuses writes, and somebody sends a message. */
function whileRefused(refuse: (redis: RedisServer) => Promise<unknown>): Scene {
  return async (until) => {
    const redis = until.use(await startRedis());
    await addUser(redis, rights(SERVER_COMMANDS));
    const gateway = await startOn(until, { REDIS_URL: asUser(redis.url) });
    await using sender = connect(gateway.wsUrl, alice.token);
    await sender.run(ChatsDocument);
    await refuse(redis);
    await sender.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: "waits" });
    return gateway;
  };
}

function watch(running: RunningProcess, url: string, adminUrl: string): Watched {
  return {
    url,
    adminUrl,
    get logged() {
      return running.log;
    },
  };
}

/** A server on HTTPS whose certificate nobody has signed. */
async function startUntrusted(until: AsyncDisposableStack): Promise<string> {
  const { path } = until.use(await temporaryDirectory());
  const cert = await createCertificate(path);
  const server = createServer({ cert, key: await readFile(join(path, "key.pem")) }, (_request, response) => {
    response.end("{}");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  until.defer(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** By the first column of the runbook. */
export const SCENES: Readonly<Record<string, Scene>> = {
  async "The REST API is slow"(until) {
    const gateway = await startOn(until, { HTTP_API_TIMEOUT: "500" });
    until.use(gateway.api.faults.hold());
    await ask(gateway);
    return gateway;
  },
  async "The REST API accepts requests and answers none"(until) {
    const gateway = await startOn(until, { HTTP_API_TIMEOUT: "200" });
    until.use(gateway.api.faults.hold());
    for (let count = 0; count < 6; count++) await refused(gateway, randomUUID());
    return gateway;
  },
  async "The REST API is down"(until) {
    const gateway = await startOn(until);
    await gateway.api.close();
    await ask(gateway);
    await refused(gateway, bob.token);
    return gateway;
  },
  async "Redis is down, or fails over"(until) {
    const { gateway, redis } = await startOnRedis(until);
    await redis.kill();
    return gateway;
  },
  async "Redis is connected and does not answer"(until) {
    const { gateway, redis } = await startOnRedis(until);
    until.defer(() => redis.resume());
    redis.pause();
    return gateway;
  },
  "Redis is full": whileRefused(({ control }) => control.config("SET", "maxmemory", 1)),
  "Redis's user lacks a right": whileRefused(({ control }) => control.call("ACL", "SETUSER", "gateway", "-xadd")),
  "Redis has lost its replicas or its disk, or is a replica itself": whileRefused(({ control }) =>
    control.config("SET", "min-replicas-to-write", 1),
  ),
  async "Redis's password is wrong"(until) {
    const redis = until.use(await startRedis({ password: "another" }));
    return startOn(until, { REDIS_URL: redis.url.replace("another", "wrong") });
  },
  async "Something else publishes on the channels of the gateway"(until) {
    const { gateway, redis } = await startOnRedis(until);
    const client = until.use(connect(gateway.wsUrl, alice.token));
    client.subscribe(MessageAddedDocument);
    await client.run(MeDocument);
    for (const channel of (await redis.control.pubsub("CHANNELS", "*")) as string[]) {
      await redis.control.publish(channel, "no event");
    }
    return gateway;
  },
  async "The certificate of the REST API is not trusted"(until) {
    const gateway = await startOn(until, { HTTP_API_URL: await startUntrusted(until) });
    await refused(gateway, alice.token);
    return gateway;
  },
  async "The certificate of Redis is not trusted"(until) {
    const redis = until.use(await startRedis({ tls: true }));
    return startOn(until, { REDIS_URL: redis.url });
  },
  async "An instance is stuck"(until) {
    const gateway = until.use(await startGatewayProcess());
    gateway.process.send("SIGSTOP");
    return watch(gateway.process, gateway.url, "");
  },
  async "The REST API refuses all tokens"(until) {
    const gateway = await startOn(until);
    until.use(gateway.api.faults.answer({ status: 401, body: { error: "no" } }));
    await refused(gateway, alice.token);
    return gateway;
  },
  async "The backend signs with another secret, or its clock is wrong"(until) {
    const gateway = await startOn(until, { EVENTS_SECRET });
    const secret = `whsec_${btoa("another secret of thirty-two characters")}`;
    await postEvent(gateway.url, { type: "user.signed_out", data: { userId: alice.id } }, { secret });
    return gateway;
  },
  async "An instance is full"(until) {
    const gateway = await startOn(until, { MAX_CONNECTIONS: "1" });
    await until.use(connect(gateway.wsUrl, alice.token)).acknowledged;
    await refused(gateway, bob.token);
    return gateway;
  },
  async "An instance runs out of open files"(until) {
    const api = until.use(await startDevApi({ file: ":memory:" }));
    const env = { ...ADMIN, PORT: "0", HOST: "127.0.0.1", DRAIN_WINDOW: "0", HTTP_API_URL: api.url };
    const limited = ["sh", "-c", 'ulimit -n 100 && exec "$@"', "sh", ...START_COMMAND] as const;
    const running = until.use(await startProcess({ command: [...limited], env }));
    const { url, admin } = await running.logged("listening");
    const watched = watch(running, String(url), String(admin));
    // The connection over which the metrics are read is open before the others are.
    const openFiles = async (): Promise<number> => {
      const text = await (await fetch(new URL("/metrics", watched.adminUrl))).text();
      return Number(/^process_open_fds (\d+)/m.exec(text)?.[1]);
    };
    while ((await openFiles()) <= 92) until.use(await rawConnection(watched.url));
    return watched;
  },
  async "One client floods"(until) {
    const gateway = await startOn(until, { RATE_LIMIT_OPERATIONS: "30/1s" });
    const flooder = until.use(await openAcknowledged(gateway.wsUrl, alice.token));
    for (let count = 0; count < 5000; count++) flooder.send({ type: "ping" });
    await flooder.closed;
    return gateway;
  },
  async "Somebody tries tokens, or many clients behind one address have an expired one"(until) {
    const gateway = await startOn(until, { RATE_LIMIT_FAILED_AUTH: "2/1m" });
    for (let count = 0; count < 4; count++) await refused(gateway, randomUUID());
    return gateway;
  },
  async "A limit is too low for a frontend"(until) {
    const gateway = await startOn(until, { RATE_LIMIT_OPERATIONS: "2/1m", RATE_LIMIT_MESSAGES: "1/1m" });
    const { demoChatId: chatId } = gateway.api;
    const send = { query: print(SendMessageDocument), variables: { chatId, content: "hello" } };
    for (let count = 0; count < 2; count++) await postOperation(gateway.url, send, alice.token);
    for (let count = 0; count < 4; count++) await ask(gateway, "{ me { id } }", bob.token);
    return gateway;
  },
  async "A stopping instance does not end"(until) {
    const gateway = until.use(await startGatewayProcess({ ...ADMIN, DRAIN_WINDOW: "60000" }));
    await until.use(connect(gateway.wsUrl, alice.token)).acknowledged;
    const { admin } = await gateway.process.logged("listening");
    // Who is never asked over HTTP does not wait.
    await fetch(new URL("/ready", gateway.url));
    gateway.process.send("SIGTERM");
    return watch(gateway.process, gateway.url, String(admin));
  },
  async "The clocks of Redis and of an instance differ"(until) {
    const { gateway } = await startOnRedis(until);
    const client = until.use(connect(gateway.wsUrl, alice.token));
    const received = client.subscribe(MessageAddedDocument);
    await client.run(ChatsDocument);
    // Redis's clock is the real one.
    until.defer(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    await client.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: "late" });
    await received.next();
    return gateway;
  },
  async "The reader of the log has stopped reading"(until) {
    const stuck = new LogOutput(new Writable({ write: () => undefined }));
    const log = createLog(parseConfig({ HTTP_API_URL: "http://127.0.0.1", LOG_LEVEL: "debug" }), stuck);
    const gateway = until.use(await startGateway(ADMIN, { log }));
    const line = "x".repeat(1024);
    for (let count = 0; count < 300; count++) log.debug(line);
    return gateway;
  },
  async "The port is taken"(until) {
    const server = createTcpServer();
    until.defer(() => new Promise<void>((resolve) => server.close(() => resolve())));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const env = { PORT: String(port), HOST: "127.0.0.1", HTTP_API_URL: "http://127.0.0.1:9" };
    const running = until.use(await startProcess({ env }));
    await running.exited;
    return watch(running, "", "");
  },
};
