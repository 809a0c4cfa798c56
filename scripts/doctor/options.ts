/** The command line. Nothing that was given is quoted: a token may have landed in any place. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { CONFIG_TABLE, ConfigError, parseConfig } from "../../src/config/config.ts";

export interface Options {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string;
  readonly otherToken: string | undefined;
  /** The chat to examine, and to write to; undefined: one of `GET /chats`. */
  readonly chatId: string | undefined;
  /** Whether the API's data may be changed. */
  readonly write: boolean;
  /** Whether the gateway is to run with HTTP_API_IDEMPOTENT=true. */
  readonly idempotent: boolean;
  readonly timeoutMs: number;
  /** A module for HTTP_API_ADAPTER: the API is examined through it. */
  readonly adapter: string | undefined;
  /** Where the draft of an adapter goes. */
  readonly writeAdapter: string | undefined;
  /** Whether the output is JSON. */
  readonly json: boolean;
}

const DEFAULT_TIMEOUT = CONFIG_TABLE.find(({ name }) => name === "HTTP_API_TIMEOUT")?.default ?? "";

export const HELP = `Checks a REST API against what the gateway needs of it.

  graphql-chat-gateway doctor --url <address> --token <token> [options]
  npm run --silent doctor -- --url <address> --token <token> [options]     in a clone of the repository

  --url <address>          the REST API, as HTTP_API_URL would have it
  --token <token>          the bearer token of a user, best of one who is in a chat with some messages
  --other-token <token>    that of another user who is not in every chat of the first: checks that outsiders are refused
  --chat <id>              the chat to examine; one with a last message where absent
  --write                  also checks what changes data: sends one or two messages to that chat, which its members see,
                           and marks its messages as read. Without it nothing is written
  --idempotent             the gateway is to run with HTTP_API_IDEMPOTENT=true: an API that does not honour
                           Idempotency-Key is then wrong. Only with --write
  --timeout <ms>           HTTP_API_TIMEOUT of the gateway; ${DEFAULT_TIMEOUT} where absent
  --adapter <file>         HTTP_API_ADAPTER of the gateway: the API is examined through it
  --write-adapter <file>   writes the draft of an adapter there, from what the API answers: a starting point
  --json                   the findings as JSON, for CI
  --help                   this text

Exit code: 0 when nothing is wrong, 1 when something is, 2 for a wrong command line. Tokens are never printed; without
--silent npm itself shows the command line, with the tokens in it.
`;

const OPTIONS = {
  url: { type: "string" },
  token: { type: "string" },
  "other-token": { type: "string" },
  chat: { type: "string" },
  write: { type: "boolean", default: false },
  idempotent: { type: "boolean", default: false },
  timeout: { type: "string", default: DEFAULT_TIMEOUT },
  adapter: { type: "string" },
  "write-adapter": { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} satisfies ParseArgsConfig["options"];

/** A command line that cannot be obeyed; the message says what is expected. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Undefined where help is asked for.
 *
 * @throws UsageError
 */
export function parseOptions(args: readonly string[]): Options | undefined {
  const values = valuesOf(args);
  if (values.help) return undefined;
  const { "other-token": otherToken, chat: chatId, write, idempotent, adapter, json } = values;
  const writeAdapter = values["write-adapter"];
  if (adapter === "") throw new UsageError("--adapter: expected a file.");
  if (writeAdapter === "") throw new UsageError("--write-adapter: expected a file.");
  const token = required("--token", values.token);
  for (const [option, given] of Object.entries({ "--token": token, "--other-token": otherToken })) {
    // What no Authorization header carries.
    if (given !== undefined && !/^[\x21-\x7e]{1,8000}$/.test(given)) {
      throw new UsageError(`${option}: expected the token alone, without "Bearer" or spaces.`);
    }
  }
  if (chatId === "") throw new UsageError("--chat: expected an id.");
  if (idempotent && !write) throw new UsageError("--idempotent is found out by writing: it needs --write.");
  const url = configured("--url", "HTTP_API_URL", required("--url", values.url));
  if (url === undefined) throw new UsageError("--url is needed.");
  const timeoutMs = configured("--timeout", "HTTP_API_TIMEOUT", values.timeout);
  return { url, token, otherToken, chatId, write, idempotent, timeoutMs, adapter, writeAdapter, json };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values;
  } catch {
    throw new UsageError("There is an option that does not exist, that lacks its value, or that has one too many.");
  }
}

function required(option: string, given: string | undefined): string {
  if (given === undefined || given.trim() === "") throw new UsageError(`${option} is needed.`);
  return given;
}

/** The value that the gateway makes of a variable. */
function configured<Name extends "HTTP_API_URL" | "HTTP_API_TIMEOUT">(option: string, name: Name, given: string) {
  try {
    return parseConfig({ [name]: given })[name];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const expected = /expected (.*), got/.exec(error.message)?.[1] ?? `what ${name} takes`;
    throw new UsageError(`${option}: expected ${expected}.`, { cause: error });
  }
}
