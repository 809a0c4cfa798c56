/** What is left of clients that have gone. */
import { queryObjects } from "node:v8";
import { Connection } from "../../../src/server/websocket/connection.ts";
import { scrape } from "../metrics.ts";

/** Connections in the memory of this process, those of ended gateways included. Collects garbage first, which takes a while. */
export function connectionObjects(): number {
  return queryObjects(Connection, { format: "count" });
}

/** Gauges of a gateway that are 0 when nobody is connected. */
const GAUGES = ["connections", "subscriptions", "upstream_in_flight", "upstream_waiting", "bus_queued"];

/** How much of each there is. */
export async function openOf(adminUrl: string): Promise<Readonly<Record<string, number>>> {
  const metrics = await scrape(adminUrl);
  return Object.fromEntries(GAUGES.map((name) => [name, metrics.value(`chat_gateway_${name}`) ?? Number.NaN]));
}
