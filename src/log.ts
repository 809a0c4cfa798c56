/** The process's log: pino, JSON lines, readable ones on a terminal. Tokens are never in it. */
import { pino, stdSerializers, stdTimeFunctions, symbols, type DestinationStream, type LogFn, type Logger } from "pino";
import type { Config } from "./config/config.ts";
import type { Instance } from "./instance.ts";
import { LineBudget } from "./line-budget.ts";
import { LogOutput } from "./log-output.ts";

export type Log = Logger;

/** Wherever one of these is a key of what is logged, its value is not. */
const SECRETS = ["authorization", "Authorization", "token", "connectionParams", "headers"];

/** Each of these is written, however many there are: a connection's life can be looked up. */
export const ConnectionMessage = { opened: "connection opened", closed: "connection closed" } as const;

/**
 * Marks an entry that is written although other lines of the same message have been. The caller remembers what it has logged, up to a bound
 * of its own. pino writes no symbols.
 */
export const EACH: unique symbol = Symbol("each");

const { info: INFO, error: ERROR, fatal: FATAL } = pino.levels.values;

/**
 * @param stream where lines go.
 * @param instance is named in each line.
 */
export function createLog(
  config: Pick<Config, "LOG_LEVEL">,
  stream: DestinationStream,
  instance?: Pick<Instance, "name" | "version">,
): Log {
  const budget = new LineBudget();
  // Who asks for more than usual gets everything.
  const isSampled = config.LOG_LEVEL !== "debug" && config.LOG_LEVEL !== "trace";
  return pino(
    {
      level: config.LOG_LEVEL,
      base: instance ? { instance: instance.name, version: instance.version } : null,
      timestamp: stdTimeFunctions.isoTime,
      // Errors are written by the hook, which knows the level.
      serializers: { err: (error: unknown) => (error instanceof Error ? stdSerializers.err(error) : error) },
      redact: { paths: SECRETS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: "[secret]" },
      hooks: {
        logMethod(args, method, level) {
          const line = lineOf(args, level, isSampled ? budget : undefined);
          if (line) method.apply(this, line);
        },
      },
    },
    stream,
  );
}

/** Each line says where it comes from, in a log that others may write to as well. */
export function withInstance(log: Log, { name, version }: Pick<Instance, "name" | "version">): Log {
  return "instance" in log.bindings() ? log : log.child({ instance: name, version });
}

/** Lines that could not be written, since whoever reads them stands still or has gone. */
export function droppedLines(log: Log): number {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what pino writes to
  const stream = (log as unknown as Record<symbol, unknown>)[symbols.streamSym];
  return stream instanceof LogOutput ? stream.dropped : 0;
}

type LineArguments = Parameters<LogFn>;

/** A line as it is written; undefined where it is suppressed. */
function lineOf(args: LineArguments, level: number, budget: LineBudget | undefined): LineArguments | undefined {
  const [first, second] = args as readonly unknown[];
  const message = typeof first === "string" ? first : second;
  const isCounted =
    budget !== undefined &&
    typeof message === "string" &&
    level < (FATAL ?? Infinity) &&
    level >= (INFO ?? 0) &&
    message !== ConnectionMessage.opened &&
    message !== ConnectionMessage.closed &&
    !isEach(first);
  const suppressed = isCounted ? budget.admit(`${message} ${codeOf(first)}`) : 0;
  if (suppressed === undefined) return undefined;
  if (typeof first !== "object" || first === null) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object in front of what was given
    return suppressed > 0 ? ([{ suppressed }, ...args] as unknown as LineArguments) : args;
  }
  const entry = { ...first, ...("err" in first ? { err: briefly(first.err, level) } : {}) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as given, but for its first object
  return [suppressed > 0 ? { ...entry, suppressed } : entry, ...args.slice(1)] as unknown as LineArguments;
}

function isEach(entry: unknown): boolean {
  return typeof entry === "object" && entry !== null && EACH in entry && entry[EACH] === true;
}

/** Errors of different codes are different messages. */
function codeOf(entry: unknown): string {
  return typeof entry === "object" && entry !== null && "code" in entry ? String(entry.code) : "";
}

/** Without its stack, where it was expected: below `error`, and what Redis answers. */
function briefly(error: unknown, level: number): unknown {
  if (!(error instanceof Error)) return error;
  const { stack, ...rest } = stdSerializers.err(error);
  return level >= (ERROR ?? 0) && error.name !== "ReplyError" ? { ...rest, stack } : rest;
}

/** Standard output: lines that people can read on a terminal, otherwise JSON. */
export async function standardOutput(): Promise<DestinationStream> {
  if (!process.stdout.isTTY) return new LogOutput(process.stdout);
  // Loaded for a terminal alone.
  const { prettyFactory } = await import("pino-pretty");
  doNotBlock(process.stdout);
  return new LogOutput(process.stdout, prettyFactory({ colorize: true, translateTime: "HH:MM:ss.l" }));
}

/** Node.js writes to a terminal synchronously: one that is paused with Ctrl+S would stop the process. It has no public way to change that. */
function doNotBlock(stream: NodeJS.WriteStream): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- looked at before it is used
  const { _handle: handle } = stream as { _handle?: { setBlocking?: (isBlocking: boolean) => void } };
  handle?.setBlocking?.(false);
}
