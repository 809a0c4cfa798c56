/** The process: reads the environment, runs a gateway, and tells with its exit code how that ended. */
import { ConfigError, readConfig, type Config } from "./config/config.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { createLog, type Log } from "./log.ts";
import { welcome } from "./welcome.ts";

async function main(): Promise<void> {
  const config = tryReadConfig();
  const log = createLog(config);
  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "a defect ended the process");
    process.exit(1);
  });
  const starting = createGateway(config, { log }).catch((error: unknown) => {
    if (isPortTaken(error))
      log.fatal({ port: config.PORT }, "the port is taken: set PORT to another, or to 0 for a free one");
    else log.fatal({ err: error }, "the gateway could not start");
    return process.exit(1);
  });
  stopOnSignals(starting, log);
  const gateway = await starting;
  if (gateway.devApi) process.stdout.write(welcome(gateway.url, gateway.devApi));
}

/**
 * The first signal stops the gateway, one that is still starting as soon as it has: the first process of a container gets no
 * signal that it does not listen to. A second one ends the process at once.
 */
function stopOnSignals(starting: Promise<Gateway>, log: Log): void {
  let isStopping = false;
  function stop(signal: NodeJS.Signals): void {
    if (isStopping) {
      log.warn({ signal }, "stopped at once");
      process.exit(1);
    }
    isStopping = true;
    log.info({ signal }, "stopping");
    void close(starting, log);
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop(signal));
}

async function close(starting: Promise<Gateway>, log: Log): Promise<never> {
  try {
    const gateway = await starting;
    await gateway.close();
    log.info("stopped");
    process.exit(0);
  } catch (error) {
    log.fatal({ err: error }, "the gateway did not stop cleanly");
    process.exit(1);
  }
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

function tryReadConfig(): Config {
  try {
    return readConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`The configuration is wrong.\n${error.message}\n`);
    return process.exit(1);
  }
}

await main();
