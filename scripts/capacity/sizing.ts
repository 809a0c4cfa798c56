/** "Sizing" of docs/OPERATIONS.md: what single things take, from what `npm run sizing` and `npm run bench` have measured. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Result } from "../../bench/report/results.ts";
import type { UnitCosts } from "./demand.ts";

export const SIZES_FILE = fileURLToPath(new URL("redis-sizes.json", import.meta.url));

const sizes = z.object({
  command: z.string(),
  /** The day. */
  date: z.string(),
  machine: z.string(),
  /** Growth of `used_memory`, in bytes. */
  bytes: z.object({
    onlineUser: z.number(),
    position: z.number(),
    /** With its first message. */
    chat: z.number(),
    message: z.number(),
  }),
});

/** What things take in Redis, and how that was measured. */
export type RedisSizes = z.infer<typeof sizes>;

export function readSizes(): RedisSizes {
  return sizes.parse(JSON.parse(readFileSync(SIZES_FILE, "utf8")));
}

const LOG_ENTRIES = 1000;

/** Clients with two resumable subscriptions each, in chats with some messages. */
const EXAMPLE = { clients: 50_000, positions: 2, chats: 10_000, messages: 20 };

/** @param idle how the memory of a connection was measured. */
export function sizingText(
  { command, date, machine, bytes }: RedisSizes,
  { connectionKiB, connectUs }: Pick<UnitCosts, "connectionKiB" | "connectUs">,
  idle: Pick<Result, "command" | "date" | "machine">,
): string {
  const { clients, positions, chats, messages } = EXAMPLE;
  const inRedis =
    clients * (bytes.onlineUser + positions * bytes.position) + chats * (bytes.chat + (messages - 1) * bytes.message);
  const rows = [
    [
      "an idle connection with four subscriptions",
      `${connectionKiB.toFixed(1)} KiB of the gateway's memory, and one open file`,
    ],
    [
      "a connection that opens",
      `${(connectUs / 1000).toFixed(1)} ms of one core, and two or three requests to the REST API`,
    ],
    ["a chat with a message", `${kilobytes(bytes.chat)} in Redis, for \`RESUME_WINDOW\` and 1.5 min`],
    [
      "each message of its log",
      `${kilobytes(bytes.message)}; ${((LOG_ENTRIES * bytes.message) / 1e6).toFixed(1)} MB for the ${LOG_ENTRIES.toLocaleString("en")} that a log holds at most`,
    ],
    [
      "a stream position of a client",
      `${kilobytes(bytes.position)} in Redis, for each resumable subscription; its tombstone stays 24 h`,
    ],
    ["a user who is online", `${kilobytes(bytes.onlineUser)} in Redis`],
  ];
  const { processor = "", cores = "" } = idle.machine;
  return [
    `In the gateway: measured with \`${idle.command}\` on ${idle.date.slice(0, 10)} (${processor}, ${cores} cores). In Redis: the growth of`,
    `\`used_memory\` with 500 clients, UUIDs as ids and messages of 100 characters, measured with \`${command}\` on ${date} (${machine}).`,
    "",
    "| what | takes |",
    "|---|---|",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
    `So ${clients.toLocaleString("en")} clients with two resumable subscriptions each, in ${chats.toLocaleString("en")} chats with twenty messages in the last minutes, take`,
    `${((clients * connectionKiB) / 1024 ** 2).toFixed(1)} GiB in the gateways together, and ${(inRedis / 1e9).toFixed(1)} GB in Redis.`,
  ].join("\n");
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} KB`;
}
