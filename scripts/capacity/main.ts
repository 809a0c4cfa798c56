/**
 * What a number of connections needs: `npm run capacity [-- --connections <n> --messages <per user and hour> …] [--write]`. The costs are
 * those of the measurements in `measured.json`. Without options: the tables of `docs/CAPACITY.md`, which `--write` puts there, and the sizes
 * of `docs/OPERATIONS.md` with them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { costsOf } from "./costs.ts";
import type { Load, Settings } from "./demand.ts";
import { capacityTables, demandTable, LOAD, readMeasured, SETTINGS, sizingSection, withTables } from "./document.ts";

function write(name: string, text: string, marker?: string): void {
  const path = fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
  writeFileSync(path, withTables(readFileSync(path, "utf8"), text, marker));
}

const { values } = parseArgs({
  options: {
    connections: { type: "string" },
    devices: { type: "string" },
    chats: { type: "string" },
    members: { type: "string" },
    online: { type: "string" },
    messages: { type: "string" },
    receipts: { type: "string" },
    resumable: { type: "string" },
    session: { type: "string" },
    heartbeat: { type: "string" },
    "recheck-interval": { type: "string" },
    "recheck-budget": { type: "string" },
    "per-instance": { type: "string" },
    "core-share": { type: "string" },
    write: { type: "boolean", default: false },
  },
});

function numberOf(name: Exclude<keyof typeof values, "write">, otherwise: number): number {
  const text = values[name];
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0 || (value === 0 && ["messages", "receipts", "resumable"].includes(name)))) {
    throw new Error(`--${name}: expected a number above 0, got ${text}`);
  }
  return value;
}

const results = readMeasured();
if (Object.keys(values).length > 1) {
  const load: Load = {
    connections: numberOf("connections", 100_000),
    devices: numberOf("devices", LOAD.devices),
    chatsPerUser: numberOf("chats", LOAD.chatsPerUser),
    membersPerChat: numberOf("members", LOAD.membersPerChat),
    onlineShare: Math.min(1, numberOf("online", LOAD.onlineShare)),
    messagesPerHour: numberOf("messages", LOAD.messagesPerHour),
    receipts: numberOf("receipts", LOAD.receipts),
    resumable: numberOf("resumable", LOAD.resumable),
    sessionMinutes: numberOf("session", LOAD.sessionMinutes),
  };
  const settings: Settings = {
    heartbeatMs: numberOf("heartbeat", SETTINGS.heartbeatMs),
    recheckIntervalMs: numberOf("recheck-interval", SETTINGS.recheckIntervalMs),
    recheckBudget: numberOf("recheck-budget", SETTINGS.recheckBudget),
    connectionsPerInstance: numberOf("per-instance", SETTINGS.connectionsPerInstance),
    coreShare: numberOf("core-share", SETTINGS.coreShare),
  };
  process.stdout.write(`${demandTable([load], settings, costsOf(results))}\n`);
} else {
  const tables = capacityTables(results);
  if (values.write) {
    write("CAPACITY.md", tables);
    write("OPERATIONS.md", sizingSection(results), "sizing");
  }
  process.stdout.write(`${tables}\n`);
}
