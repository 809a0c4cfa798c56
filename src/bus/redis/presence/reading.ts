/** What Redis knows of users: whether they are online, and when they were seen last. */
import type { PresenceState } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { toInstant } from "./fields.ts";

interface ReadingParts {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
}

/** The presence of each user, in their order. Rejects with BusUnavailable. */
export async function readPresence(
  { connection, keys }: ReadingParts,
  userIds: readonly string[],
): Promise<readonly PresenceState[]> {
  // Sent together, since none of them waits for another's answer.
  const fields = userIds.map((id) => {
    const key = keys.user(id);
    return connection.run(key, (client) => client.hmget(key, "online", "seen"));
  });
  return (await Promise.all(fields)).map(([online, seen]) =>
    online !== null && online !== undefined
      ? { online: true, lastSeenAt: undefined }
      : { online: false, lastSeenAt: toInstant(seen) },
  );
}
