/** What is particular to a master that sentinels watch: how they are asked for it, and how they announce another one. */
import { Redis, type RedisOptions } from "ioredis";
import type { RedisAddress, RedisCredentials } from "../../../config/redis-address.ts";

/** The channel on which a sentinel announces that it follows another master now: name, old host and port, new host and port. */
const SWITCH_CHANNEL = "+switch-master";

interface SentinelParts {
  readonly address: RedisAddress;
  /** How every connection to a server of Redis is made. */
  readonly common: RedisOptions;
  readonly answerTimeoutMs: number;
}

/** Beside the common options, of a client that asks the sentinels for the master at each connection. */
export function sentinelOptions({ address, common, answerTimeoutMs }: SentinelParts): RedisOptions {
  return {
    sentinels: [...address.nodes],
    name: address.masterName,
    // One that does not answer is not waited for: the next one is asked.
    sentinelCommandTimeout: answerTimeoutMs,
    ...named("sentinel", address.sentinelCredentials ?? {}),
    // To the sentinels and to whom they name; without both the library says the password to the master in the clear.
    ...(common.tls ? { sentinelTLS: common.tls, enableTLSForSentinelMode: true } : {}),
  };
}

/**
 * Sentinels get the master's credentials where they ask for some, and not before: one without a password refuses a user that it
 * does not know, and a password is said to nobody who does not need it. Failures that remain are passed to `onError`.
 */
export function answerSentinels(client: Redis, address: RedisAddress, onError: (error: Error) => void): void {
  client.on("sentinelError", (error: Error) => {
    const others = otherCredentials(error, address);
    if (others) Object.assign(client.options, named("sentinel", others));
    else onError(error);
  });
}

export interface MasterWatch {
  start(): void;
  close(): void;
}

export interface MasterEvents {
  /** A sentinel follows another master from now on; each of them says so for itself. */
  switched(host: string, port: number): void;
  /** A sentinel cannot be reached, or refuses. */
  failed(error: Error): void;
}

/**
 * Listens to every sentinel of the address, from when it is started until it is closed. (The library's own failover detector follows the failover of any master, leaves failures to
 * the console, and opens connections to the sentinels for each client.)
 */
export function watchMaster(parts: SentinelParts, events: MasterEvents): MasterWatch {
  const { address, common } = parts;
  const { db: _, ...shared } = common;
  const clients = address.nodes.map((node) => {
    const own = named("", address.sentinelCredentials ?? {});
    return new Redis({ ...shared, ...own, ...node, enableReadyCheck: false, reconnectOnError: null });
  });
  for (const client of clients) {
    client.on("ready", () => void listen(client, address));
    client.on("message", (_channel: string, message: string) => {
      const [name, , , host, port] = message.split(" ");
      if (name === address.masterName && host !== undefined) events.switched(host, Number(port));
    });
    // It is connected to again; the master is asked for at the other sentinels meanwhile.
    client.on("error", (error: Error) => events.failed(error));
  }
  return {
    start() {
      for (const client of clients) client.connect().catch(() => undefined);
    },
    close() {
      for (const client of clients) client.disconnect();
    },
  };
}

async function listen(client: Redis, address: RedisAddress): Promise<void> {
  try {
    await client.subscribe(SWITCH_CHANNEL);
  } catch (error) {
    const others = error instanceof Error ? otherCredentials(error, address) : undefined;
    if (!others) return;
    Object.assign(client.options, named("", others));
    client.disconnect(true);
  }
}

/** What to say to the sentinels instead, after one has refused. Undefined where nothing else is known. */
function otherCredentials({ message }: Error, address: RedisAddress): RedisCredentials | undefined {
  const { credentials, sentinelCredentials } = address;
  if (sentinelCredentials !== undefined || Object.keys(credentials).length === 0) return undefined;
  if (/NOAUTH|NOPERM/.test(message)) return credentials;
  return message.includes("WRONGPASS") ? {} : undefined;
}

/** As options of the library, for which an empty text is none. */
function named(whose: "sentinel" | "", { username = "", password = "" }: RedisCredentials): RedisOptions {
  return whose === "" ? { username, password } : { sentinelUsername: username, sentinelPassword: password };
}
