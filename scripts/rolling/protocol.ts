/** What the script and its workers tell each other. Times are on the machine's clock: every process has another origin. */
import type { Received, Said } from "../../tests/support/verdict.ts";

export interface Member {
  readonly name: string;
  readonly token: string;
  readonly chatId: string;
}

export interface Start {
  readonly type: "start";
  readonly wsUrl: string;
  readonly members: readonly Member[];
  /** Messages a second, of all members together. */
  readonly rate: number;
  readonly seed: number;
}

/** No more messages. The worker answers with what was sent. */
export interface Stop {
  readonly type: "stop";
}

/** Everything that was sent by all workers. The worker answers with what was received when that is complete, or the time is over. */
export interface Collect {
  readonly type: "collect";
  readonly said: readonly Said[];
  readonly patienceMs: number;
}

export type Order = Start | Stop | Collect;

export interface Listening {
  readonly type: "listening";
}

export interface Sent {
  readonly type: "sent";
  readonly said: readonly Said[];
  readonly refused: number;
}

export interface Collected {
  readonly type: "collected";
  readonly received: readonly Received[];
  /** Times that clients were connected again. */
  readonly reconnects: number;
}

export type Report = Listening | Sent | Collected;
