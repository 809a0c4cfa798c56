/** A gateway in a process of its own, which is asked how much it holds. Its configuration is its environment; it needs --expose-gc. */
import { readdirSync } from "node:fs";
import { Session } from "node:inspector";
import process from "node:process";
import { readConfig } from "../../src/config/config.ts";
import { createGateway } from "../../src/gateway.ts";

/** How much the process holds, after a garbage collection. */
export interface Held {
  readonly heapBytes: number;
  readonly residentBytes: number;
  /** Sockets, timers and whatever else Node.js waits for. */
  readonly handles: number;
  readonly openFiles: number;
  /** Entries of all maps and sets of the process together. */
  readonly mapEntries: number;
}

export interface Addresses {
  readonly url: string;
  readonly adminUrl: string;
}

/** `hold` is answered with {@link Held}, `start` with {@link Addresses}, once. */
export interface Order {
  readonly type: "start" | "hold";
}

const session = new Session();
session.connect();

/** What the protocol of the inspector answers. Commands to this thread are answered before `post` returns. */
function post(method: string, params: object): InspectorResult {
  const answer: { error?: Error | null; result?: InspectorResult } = {};
  session.post(method, params, (error, result) => Object.assign(answer, { error, result }));
  if (answer.error) throw answer.error;
  return answer.result ?? {};
}

interface InspectorResult {
  readonly result?: { readonly objectId?: string; readonly value?: number };
  readonly objects?: { readonly objectId: string };
  readonly exceptionDetails?: object;
}

/** The prototypes of classes that extend them are among what is found, and have no size. */
const COUNT_ENTRIES = `function () {
  let entries = 0;
  for (const one of this) if (!Object.hasOwn(one, "constructor")) entries += one.size;
  return entries;
}`;

function entriesOf(constructor: "Map" | "Set"): number {
  const objectGroup = "entries";
  const prototype = post("Runtime.evaluate", { expression: `${constructor}.prototype`, objectGroup });
  const found = post("Runtime.queryObjects", { prototypeObjectId: prototype.result?.objectId, objectGroup });
  const counted = post("Runtime.callFunctionOn", {
    objectId: found.objects?.objectId,
    functionDeclaration: COUNT_ENTRIES,
    returnByValue: true,
  });
  post("Runtime.releaseObjectGroup", { objectGroup });
  if (counted.exceptionDetails) throw new Error(JSON.stringify(counted.exceptionDetails));
  return counted.result?.value ?? Number.NaN;
}

function hold(): Held {
  const mapEntries = entriesOf("Map") + entriesOf("Set");
  // Of V8's ways the one that also gives back the pages that are empty then.
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    residentBytes: rss,
    handles: process.getActiveResourcesInfo().length,
    openFiles: readdirSync("/proc/self/fd").length,
    mapEntries,
  };
}

async function start(): Promise<Addresses> {
  const { url, adminUrl = "" } = await createGateway(readConfig());
  return { url, adminUrl };
}

process.on("message", ({ type }: Order) => {
  const answered = type === "start" ? start() : Promise.resolve(hold());
  answered.then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      process.stderr.write(`the gateway failed: ${String(error)}\n`);
      process.exit(1);
    },
  );
});
process.once("disconnect", () => process.exit());
