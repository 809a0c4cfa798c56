/** What Redis knows of users: whether they are online, and when they were seen last. */
import { boundedWait } from "../../../bounded.ts";
import type { PresenceState } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import type { Restoration } from "../restoration.ts";
import { toInstant } from "./fields.ts";

interface ReadingParts {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly restoration: Pick<Restoration, "isRestored" | "restored">;
}

/** How long a reader waits for the leases of other instances when Redis has lost them. */
const PATIENCE_MS = 2000;

/** The presence of each user, in their order; undefined where it is not known yet. Rejects with BusUnavailable. */
export async function readPresence(
  parts: ReadingParts,
  userIds: readonly string[],
): Promise<readonly (PresenceState | undefined)[]> {
  const states = await readNow(parts, userIds);
  if (states.every((state) => state)) return states;
  await boundedWait(PATIENCE_MS, parts.restoration.restored(), undefined);
  return readNow(parts, userIds);
}

async function readNow(
  { connection, keys, restoration }: ReadingParts,
  userIds: readonly string[],
): Promise<readonly (PresenceState | undefined)[]> {
  // A user whom Redis takes for offline may be connected to an instance that has not written its leases yet.
  const isOfflineKnown = restoration.isRestored;
  // Sent together, since none of them waits for another's answer.
  const fields = userIds.map((id) => {
    const key = keys.user(id);
    return connection.run(key, (client) => client.hmget(key, "online", "seen"));
  });
  return (await Promise.all(fields)).map(([online, seen]) =>
    online !== null && online !== undefined
      ? { online: true, lastSeenAt: undefined }
      : isOfflineKnown
        ? { online: false, lastSeenAt: toInstant(seen) }
        : undefined,
  );
}
