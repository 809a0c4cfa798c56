/** A gateway whose log a test can wait for, and which fails the test that ends with somebody's token in that log. */
import { EventEmitter, once } from "node:events";
import { pino } from "pino";
import type { Overrides } from "../../src/gateway.ts";
import { startGateway, type TestGateway } from "./gateway.ts";

export interface DiscreetGateway extends TestGateway {
  /** The first line from now on that has all of these values. */
  line(values: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
}

/** Anything shorter could stand in a log by chance. */
const SECRET_LENGTH = 8;

/**
 * As {@link startGateway}. When it is disposed it looks for the tokens of the demo users, for every other one with which the REST
 * API was asked, and for `secrets`, and throws where one was logged. Nothing is redacted here: what is not passed to the log is not in it.
 */
export async function startDiscreetGateway(
  environment: Readonly<Record<string, string>> = {},
  { secrets = [], ...overrides }: Overrides & { readonly secrets?: readonly string[] } = {},
): Promise<DiscreetGateway> {
  const logged: Record<string, unknown>[] = [];
  const events = new EventEmitter().setMaxListeners(0);
  const write = (text: string): void => {
    const line = JSON.parse(text) as Record<string, unknown>;
    logged.push(line);
    events.emit("line");
  };
  const gateway = await startGateway(environment, { log: pino({ level: "trace" }, { write }), ...overrides });
  return {
    ...gateway,
    logged,
    async line(values) {
      // Several lines may be written in one turn.
      for (let next = logged.length; ; next++) {
        while (logged.length <= next) await once(events, "line");
        const line = logged[next];
        if (line && Object.entries(values).every(([key, value]) => line[key] === value)) return line;
      }
    },
    async [Symbol.asyncDispose]() {
      await gateway.close();
      const asked = gateway.api.faults.requests.filter().map(({ authorization = "" }) => authorization.slice(7));
      const tokens = new Set([...gateway.api.users.map(({ token }) => token), ...asked, ...secrets]);
      const log = JSON.stringify(logged);
      for (const token of tokens) {
        if (token.length >= SECRET_LENGTH && log.includes(token)) throw new Error(`the log shows the token ${token}`);
      }
    },
  };
}
