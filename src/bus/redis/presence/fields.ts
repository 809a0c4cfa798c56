/** Names and values in the hash of a user, as `presence.lua` describes it. */

/** The instance that has, or had, that name: it takes others where it counted as dead. */
export function instanceOf(name: string): string {
  return name.split(".")[0] ?? name;
}

/** The field of a lease; how the fields of all leases of an instance begin where `leaseId` is empty. */
export function leaseField(instanceId: string, leaseId: string): string {
  return `lease ${instanceId} ${leaseId}`;
}

/** The instant of a time in milliseconds since the epoch. */
export function toInstant(ms: string | null | undefined): string | undefined {
  return ms === null || ms === undefined ? undefined : new Date(Number(ms)).toISOString();
}
