/** What a number of connections asks of instances, Redis, the network and the REST API. */

/** Processor time in µs, memory in KiB and MiB. */
export interface UnitCosts {
  /** An event from its sender's frame to its acknowledgement, the REST call included, delivered to nobody. */
  readonly messageUs: number;
  /** One more connection that it is written to. */
  readonly deliveryUs: number;
  /** A position that a client confirms: ping, pong, and the write to Redis. */
  readonly confirmationUs: number;
  /** One more instance that it arrives at, where it is executed and serialised once more. */
  readonly arrivalUs: number;
  readonly connectUs: number;
  readonly connectionKiB: number;
  readonly processMiB: number;
  readonly redis: {
    /** An event is appended to its log and published. */
    readonly messageUs: number;
    /** One more instance that receives it. */
    readonly arrivalUs: number;
    /** A small script or command, such as a confirmation. */
    readonly commandUs: number;
  };
}

export interface Load {
  readonly connections: number;
  /** Connections of one user. */
  readonly devices: number;
  readonly chatsPerUser: number;
  readonly membersPerChat: number;
  /** Of a chat's members, those who are connected: 0 to 1. */
  readonly onlineShare: number;
  /** That a connected user sends in an hour. */
  readonly messagesPerHour: number;
  /** For each message. */
  readonly receipts: number;
  /** Subscriptions of one connection whose position is remembered. */
  readonly resumable: number;
  /** How long a connection lasts. */
  readonly sessionMinutes: number;
}

export interface Settings {
  readonly heartbeatMs: number;
  readonly recheckIntervalMs: number;
  /** REST calls a second of one instance for asking about tokens again. */
  readonly recheckBudget: number;
  /** Connections of one process: no more than were measured in one. */
  readonly connectionsPerInstance: number;
  /** Of a core, for an instance or a Redis master: the rest is for peaks. */
  readonly coreShare: number;
}

export interface Demand {
  readonly eventsPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly confirmationsPerSecond: number;
  readonly connectsPerSecond: number;
  /** Undefined where no number of instances is enough: each would spend more on the presence of everybody than it has. */
  readonly instances: number | undefined;
  /** Of a core of each instance. */
  readonly instanceShare: number;
  /** What an instance spends on presence changes, which all go to every instance: of a core. */
  readonly presenceShare: number;
  readonly instanceMiB: number;
  readonly channelsPerInstance: number;
  readonly masters: number;
  /** Of a core of the one master that has the channel of all users. */
  readonly usersMasterShare: number;
  readonly redisCommandsPerSecond: number;
  /** To all clients. */
  readonly clientMbitPerSecond: number;
  /** From all masters to all instances. */
  readonly redisMbitPerSecond: number;
  readonly restSendsPerSecond: number;
  readonly restConnectsPerSecond: number;
  readonly restRechecksPerSecond: number;
}

/** A frame of a message of about 100 characters, with the headers of TCP and IP. */
const DELIVERY_BYTES = 350;
/** A ping and its pong. */
const PING_BYTES = 120;
/** An event as Redis publishes it. */
const EVENT_BYTES = 600;
/** Round trips of a connection that opens and closes, and of one of its remembered subscriptions: `docs/SCALING.md`. */
const CONNECTION_COMMANDS = 11;
const SUBSCRIPTION_COMMANDS = 3;
/** Whose a token is, and what chats that user is in. */
const REQUESTS_PER_RECHECK = 2;
const REQUESTS_PER_CONNECT = 2;
/** Waits before a token is asked about again are half of the interval to all of it. */
const MEAN_WAIT = 0.75;
/** Instances and masters depend on each other's number; they converge after a few rounds, or never. */
const ROUNDS = 200;
const MOST_INSTANCES = 1_000_000;

export function demandOf(load: Load, settings: Settings, costs: UnitCosts): Demand {
  const traffic = trafficOf(load, settings);
  const instances = instancesOf(load, traffic, settings, costs);
  const count = instances ?? MOST_INSTANCES;
  const { events, deliveries, confirmations, connects, presence } = traffic;
  const arrivals = events * reached(traffic.perEvent, count);
  const { redis } = costs;
  const commands = connects * (CONNECTION_COMMANDS + SUBSCRIPTION_COMMANDS * load.resumable) + confirmations;
  const redisCores = (events * redis.messageUs + arrivals * redis.arrivalUs + commands * redis.commandUs) / 1e6;
  const perInstance = load.connections / count;
  const pings = Math.max(load.connections / (settings.heartbeatMs / 1000), traffic.pings);
  return {
    eventsPerSecond: events,
    deliveriesPerSecond: deliveries,
    confirmationsPerSecond: confirmations,
    connectsPerSecond: connects,
    instances,
    instanceShare: coresOf(traffic, count, costs) / count,
    presenceShare: (presence * costs.arrivalUs) / 1e6,
    instanceMiB: costs.processMiB + (perInstance * costs.connectionKiB) / 1024,
    channelsPerInstance: Math.min(
      (load.connections / load.devices / load.onlineShare / load.membersPerChat) * load.chatsPerUser,
      (perInstance / load.devices) * load.chatsPerUser,
    ),
    masters: Math.max(1, Math.ceil(redisCores / settings.coreShare)),
    usersMasterShare: (presence * (redis.messageUs + count * redis.arrivalUs)) / 1e6,
    redisCommandsPerSecond: 2 * events + commands + 2 * presence,
    clientMbitPerSecond: ((deliveries * DELIVERY_BYTES + pings * PING_BYTES) * 8) / 1e6,
    redisMbitPerSecond: ((arrivals + presence * count) * EVENT_BYTES * 8) / 1e6,
    restSendsPerSecond: events,
    restConnectsPerSecond: connects * REQUESTS_PER_CONNECT,
    restRechecksPerSecond: count * rechecksPerSecond(perInstance, settings),
  };
}

/** Calls of one instance that has so many tokens. */
export function rechecksPerSecond(
  tokens: number,
  { recheckIntervalMs, recheckBudget }: Pick<Settings, "recheckIntervalMs" | "recheckBudget">,
): number {
  return Math.min((tokens * REQUESTS_PER_RECHECK * 1000) / (MEAN_WAIT * recheckIntervalMs), recheckBudget);
}

/** On how many of so many instances those who receive an event are, who are anywhere. */
export function reached(receivers: number, instances: number): number {
  return instances * (1 - (1 - 1 / instances) ** receivers);
}

/** In a second. */
interface Traffic {
  readonly events: number;
  readonly deliveries: number;
  /** Deliveries of one event. */
  readonly perEvent: number;
  readonly pings: number;
  readonly confirmations: number;
  readonly connects: number;
  readonly presence: number;
}

function trafficOf(load: Load, { heartbeatMs }: Settings): Traffic {
  const users = load.connections / load.devices;
  const events = (users * load.messagesPerHour * (1 + load.receipts)) / 3600;
  const perEvent = load.membersPerChat * load.onlineShare * load.devices;
  const deliveries = events * perEvent;
  // After events at most once a second; and with each heartbeat.
  const pings = load.connections * (Math.min(1, deliveries / load.connections) + 1000 / heartbeatMs);
  const connects = load.connections / (60 * load.sessionMinutes);
  return {
    events,
    deliveries,
    perEvent,
    pings,
    confirmations: pings * load.resumable,
    connects,
    presence: (2 * connects) / load.devices,
  };
}

/** Of all instances together. */
function coresOf(traffic: Traffic, instances: number, costs: UnitCosts): number {
  const us =
    traffic.events * (costs.messageUs + reached(traffic.perEvent, instances) * costs.arrivalUs) +
    traffic.deliveries * costs.deliveryUs +
    traffic.confirmations * costs.confirmationUs +
    traffic.connects * costs.connectUs +
    traffic.presence * instances * costs.arrivalUs;
  return us / 1e6;
}

function instancesOf(load: Load, traffic: Traffic, settings: Settings, costs: UnitCosts): number | undefined {
  const least = Math.ceil(load.connections / settings.connectionsPerInstance);
  let instances = least;
  for (let round = 0; round < ROUNDS && instances < MOST_INSTANCES; round++) {
    const next = Math.max(least, Math.ceil(coresOf(traffic, instances, costs) / settings.coreShare));
    if (next <= instances) return instances;
    instances = next;
  }
  return undefined;
}
