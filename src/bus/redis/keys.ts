/**
 * Names in Redis. What one script touches shares a hash tag, so that in a cluster it is on one node. Keys belong to the database that
 * is selected; channels belong to the whole server, so their names say which database they are for.
 */
export interface RedisKeys {
  /** The position of the last event or tick, over all topics of a plain server; the nodes of a Cluster have no common clock. */
  readonly clock: string;
  /** The process of Redis that has the logs, and since when. */
  readonly epoch: string;
  readonly instances: string;
  readonly sweeps: string;
  /** The instances that live, by the id that they keep. */
  readonly living: string;
  /** Which instances have written again what Redis has lost. */
  readonly restoration: string;
  channel(topic: string): string;
  /** The channel of an instance's ticks; in a Cluster one that lies on the node. */
  tick(instanceId: string, tag?: number): string;
  /** What is known of a topic while its log is empty. */
  head(topic: string): string;
  log(topic: string): string;
  /** The part of the log whose events are replaced by newer ones of their key. */
  compacted(topic: string): string;
  /** Which entries of that part each key has. */
  compactedIndex(topic: string): string;
  /** The clock and the epoch record of a plain server; a Cluster has none, and the head's key stands in for them. */
  clocks(topic: string): readonly [string, string];
  eventId(topic: string, id: string): string;
  /** Where events were in the logs of former processes of Redis, by their ids. */
  past(topic: string): string;
  state(key: string): string;
  fenced(key: string): string;
  /** Tells for a while that there was a fenced value. */
  tombstone(key: string): string;
  expiringSet(name: string): string;
  rate(key: string): string;
  user(id: string): string;
  usersOf(instanceId: string): string;
}

/** Where the names are used. */
export interface RedisPlace {
  /** The number of the database; 0 is not written, so that instances of earlier versions share its channels. */
  readonly database: number;
  readonly isCluster: boolean;
}

export function redisKeys(prefix: string, { database, isCluster }: RedisPlace): RedisKeys {
  const [clock, epoch] = [`${prefix}clock`, `${prefix}epoch`];
  const head = (topic: string): string => `${prefix}head:{${topic}}`;
  const scope = database === 0 ? "" : `@${database}`;
  return {
    clock,
    epoch,
    head,
    clocks: (topic) => (isCluster ? [head(topic), head(topic)] : [clock, epoch]),
    instances: `${prefix}{instances}`,
    sweeps: `${prefix}{instances}:sweeps`,
    living: `${prefix}{instances}:living`,
    restoration: `${prefix}{instances}:restoration`,
    channel: (topic) => `${prefix}events${scope}:{${topic}}`,
    tick: (instanceId, tag) => `${prefix}tick${scope}:${instanceId}${tag === undefined ? "" : `:{${tag}}`}`,
    log: (topic) => `${prefix}log:{${topic}}`,
    compacted: (topic) => `${prefix}compacted:{${topic}}`,
    compactedIndex: (topic) => `${prefix}compacted-index:{${topic}}`,
    eventId: (topic, id) => `${prefix}id:{${topic}}:${id}`,
    past: (topic) => `${prefix}past:{${topic}}`,
    state: (key) => `${prefix}state:${key}`,
    fenced: (key) => `${prefix}fenced:{${key}}`,
    tombstone: (key) => `${prefix}fenced:{${key}}:expired`,
    expiringSet: (name) => `${prefix}set:${name}`,
    rate: (key) => `${prefix}rate:${key}`,
    user: (id) => `${prefix}presence:${id}`,
    usersOf: (instanceId) => `${prefix}users:${instanceId}`,
  };
}
