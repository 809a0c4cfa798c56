/** The process: reads the environment, runs a gateway, and tells with its exit code how that ended. */
import module from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "./config/config.ts";
import type { Gateway } from "./gateway.ts";
import type { Log } from "./log.ts";

/** How often a process that npm started looks whether npm is still there. */
const PARENT_CHECK_MS = 500;

/** Within this npm may repeat, once, a signal that a terminal has sent to both. */
const REPEATED_WITHIN_MS = 5000;

/** How long a start that was interrupted may take to come to its end, before the process ends without it. */
const START_GRACE_MS = 3500;

const NO_API = `HTTP_API_URL is not set: give it the address of your REST API, or start with --dev to use the embedded development API.
`;

export interface MainOptions {
  /** Whether the embedded development API may stand in for a REST API that is not configured. */
  readonly embeddedApi: boolean;
}

/** Runs until a signal stops it, and ends the process. */
export async function main({ embeddedApi }: MainOptions): Promise<void> {
  // First of all: process 1 of a container gets no signal that it does not listen to, and loading takes a while.
  const stopping = new Stopping();
  module.enableCompileCache();
  const [
    { ConfigError, isRunByNpm, readConfig },
    { createGateway },
    { createLog, standardOutput },
    { createInstance },
  ] = await Promise.all([
    import("./config/config.ts"),
    import("./gateway.ts"),
    import("./log.ts"),
    import("./instance.ts"),
  ]);
  if (isRunByNpm()) stopping.followNpm();
  try {
    const config = readConfig();
    if (config.HTTP_API_URL === undefined && !embeddedApi) return endWith(NO_API);
    const instance = createInstance();
    const log = createLog(config, await standardOutput(), instance);
    process.on("uncaughtException", (error) => {
      log.fatal({ err: error }, "a defect ended the process");
      process.exit(1);
    });
    const starting = createGateway(config, { log, instance }).catch((error: unknown) =>
      failToStart(error, config, log),
    );
    stopping.stops(starting, log);
    const { devApi, url } = await starting;
    if (devApi) process.stdout.write((await import("./welcome.ts")).welcome(url, devApi));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return endWith(`The configuration is wrong.\n${error.message}\n`);
  }
}

/**
 * The first signal stops the gateway, one that is still starting as soon as it has started. A second one ends the process at once.
 */
class Stopping {
  #signal: NodeJS.Signals | undefined;
  /** Until when npm may repeat it. */
  #repeatedUntil = 0;
  #isRunByNpm = false;
  #gateway: Promise<Gateway> | undefined;
  #isRunning = false;
  #log: Log | undefined;

  constructor() {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => this.#receive(signal));
  }

  /** From now on a signal stops this gateway. */
  stops(gateway: Promise<Gateway>, log: Log): void {
    this.#gateway = gateway;
    this.#log = log;
    void gateway.then(() => (this.#isRunning = true));
  }

  /**
   * npm passes a signal on that a terminal has sent to every process already, and may be killed without a chance to pass anything on:
   * then it leaves this process to another parent.
   */
  followNpm(): void {
    this.#isRunByNpm = true;
    const npm = process.ppid;
    const timer = setInterval(() => {
      if (process.ppid === npm) return;
      clearInterval(timer);
      if (this.#signal === undefined) this.#receive("SIGTERM");
    }, PARENT_CHECK_MS);
    timer.unref();
  }

  #receive(signal: NodeJS.Signals): void {
    if (this.#signal !== undefined) {
      if (this.#isRunByNpm && signal === this.#signal && Date.now() < this.#repeatedUntil) {
        this.#repeatedUntil = 0;
        return;
      }
      this.#log?.warn({ signal }, "stopped at once");
      process.exit(1);
    }
    this.#signal = signal;
    this.#repeatedUntil = Date.now() + REPEATED_WITHIN_MS;
    this.#log?.info({ signal }, "stopping");
    void this.#stop();
  }

  async #flush(): Promise<void> {
    const log = this.#log;
    if (log) await Promise.race([new Promise<void>((resolve) => log.flush(() => resolve())), delay(FLUSH_MS)]);
  }

  async #stop(): Promise<never> {
    try {
      const closed = this.#gateway?.then((gateway) => gateway.close());
      await (this.#isRunning ? closed : Promise.race([closed, delay(START_GRACE_MS)]));
      this.#log?.info("stopped");
      await this.#flush();
      process.exit(0);
    } catch (error) {
      this.#log?.fatal({ err: error }, "the gateway did not stop cleanly");
      process.exit(1);
    }
  }
}

/** A log that nobody reads holds up no end. */
const FLUSH_MS = 500;

function failToStart(error: unknown, config: Config, log: Log): never {
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE" && "port" in error) {
    const { port } = error;
    // The same number may have been given for two of them.
    const names = (["PORT", "ADMIN_PORT", "DEV_API_PORT"] as const).filter((name) => config[name] === port);
    log.fatal(
      { port, variable: names.join(" or ") },
      "the port is taken: set the variable to another, or to 0 for a free one",
    );
  } else {
    log.fatal({ err: error }, "the gateway could not start");
  }
  return process.exit(1);
}

function endWith(text: string): never {
  process.stderr.write(text);
  return process.exit(1);
}

if (import.meta.main) await main({ embeddedApi: true });
