/** Names and values in the hash of a user, as `presence.lua` describes it. */

/** How everything begins that ends a stay on that instance. */
export function departures(instanceId: string): string {
  return `departure ${instanceId} `;
}

/** The field of a lease; how the fields of all leases of an instance begin where `leaseId` is empty. */
export function leaseField(instanceId: string, leaseId: string): string {
  return `lease ${instanceId} ${leaseId}`;
}

/** The instant of a time in milliseconds since the epoch. */
export function toInstant(ms: string | null | undefined): string | undefined {
  return ms === null || ms === undefined ? undefined : new Date(Number(ms)).toISOString();
}
