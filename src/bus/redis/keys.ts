/** Names in Redis. What one script touches shares a hash tag, so that in a cluster it is on one node. */
export interface RedisKeys {
  /** Where the order of all events stands. Of a single server; the nodes of a cluster have no common one. */
  readonly clock: string;
  /** Which process of Redis has the log, and since when. */
  readonly epoch: string;
  readonly instances: string;
  readonly sweeps: string;
  channel(topic: string): string;
  /** Where an instance hears itself; in a cluster, by each node on a channel that lies there. */
  tick(instanceId: string, tag?: number): string;
  log(topic: string): string;
  eventId(topic: string, id: string): string;
  state(key: string): string;
  owned(key: string): string;
  roster(name: string): string;
  rate(key: string): string;
  user(id: string): string;
  usersOf(instanceId: string): string;
}

export function redisKeys(prefix: string): RedisKeys {
  return {
    clock: `${prefix}clock`,
    epoch: `${prefix}epoch`,
    instances: `${prefix}{instances}`,
    sweeps: `${prefix}{instances}:sweeps`,
    channel: (topic) => `${prefix}events:{${topic}}`,
    tick: (instanceId, tag) => `${prefix}tick:${instanceId}${tag === undefined ? "" : `:{${tag}}`}`,
    log: (topic) => `${prefix}log:{${topic}}`,
    eventId: (topic, id) => `${prefix}id:{${topic}}:${id}`,
    state: (key) => `${prefix}state:${key}`,
    owned: (key) => `${prefix}owned:${key}`,
    roster: (name) => `${prefix}roster:${name}`,
    rate: (key) => `${prefix}rate:${key}`,
    user: (id) => `${prefix}presence:${id}`,
    usersOf: (instanceId) => `${prefix}users:${instanceId}`,
  };
}
