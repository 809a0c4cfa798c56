/** The process's log: pino, JSON lines, readable ones on a terminal. Tokens are never in it. */
import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from "pino";
import { default as pretty } from "pino-pretty";
import type { Config } from "./config/config.ts";

export type Log = Logger;

/** Wherever one of these is a key of what is logged, its value is not. */
const SECRETS = ["authorization", "Authorization", "token", "connectionParams", "headers"];

/**
 * @param stream where lines go: standard output where absent.
 */
export function createLog(config: Pick<Config, "LOG_LEVEL">, stream?: DestinationStream): Log {
  return pino(
    {
      level: config.LOG_LEVEL,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      redact: { paths: SECRETS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: "[secret]" },
    },
    stream ?? standardOutput(),
  );
}

function standardOutput(): DestinationStream {
  return process.stdout.isTTY
    ? pretty({ colorize: true, translateTime: "HH:MM:ss.l", sync: true })
    : destination({ dest: 1, sync: true });
}
