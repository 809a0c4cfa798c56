#!/usr/bin/env node
/** The command that the package installs. */
import { parseArgs } from "node:util";
import { main } from "../src/main.ts";
import { packageVersion } from "../src/version.ts";

/** The least major version of Node.js. */
const NODE = 24;

const HELP = `A GraphQL subscriptions API for a chat, in front of your REST API.

  graphql-chat-gateway             starts the gateway
  graphql-chat-gateway --dev       starts it; without HTTP_API_URL on an embedded development API with demo data
  graphql-chat-gateway doctor      checks a REST API against what the gateway needs of it; doctor --help tells more
  graphql-chat-gateway --version   prints the version
  graphql-chat-gateway --help      prints this text

The configuration comes from the environment, and from .env in the working directory where there is one:

  HTTP_API_URL    the address of the REST API
  PORT            8080 where absent
  REDIS_URL       Redis, which makes any number of gateways one

The README describes every variable. SIGTERM and SIGINT stop the gateway.

Node.js 24 or later. Exit code: 0 after a signal, 1 when the gateway cannot start or has failed, 2 for a wrong command line.
`;

async function run(args: readonly string[]): Promise<void> {
  const isDoctor = args[0] === "doctor";
  const options = isDoctor ? undefined : parse(args);
  if (options?.help) process.stdout.write(HELP);
  else if (options?.version) process.stdout.write(`${packageVersion()}\n`);
  else if (!isDoctor && options === undefined) fail(2, "There is an option or a command that does not exist.");
  else if (Number.parseInt(process.versions.node, 10) < NODE) fail(1, `This needs Node.js ${NODE} or later.`);
  else if (options) await main({ embeddedApi: options.dev });
  else await runDoctor(args.slice(1));
}

function fail(exitCode: number, sentence: string): void {
  process.stderr.write(`${sentence} --help tells more.\n`);
  process.exitCode = exitCode;
}

async function runDoctor(args: readonly string[]): Promise<void> {
  const doctor = await import("../scripts/doctor/doctor.ts");
  const { exitCode, output } = await doctor.runDoctor(args);
  (exitCode === 2 ? process.stderr : process.stdout).write(output);
  process.exitCode = exitCode;
}

function parse(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { dev: flag, help: { ...flag, short: "h" }, version: { ...flag, short: "v" } },
      strict: true,
    }).values;
  } catch {
    return undefined;
  }
}

await run(process.argv.slice(2));
