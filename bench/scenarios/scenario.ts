/** What a scenario is: what it measures in whom, and how that is shown. */
import { Crowd } from "../load/crowd.ts";
import type { Account } from "../load/window.ts";
import type { PeerName, Stage } from "../peers.ts";
import type { World } from "../world.ts";

/** How long and how large. `quick` is for seeing that everything works; its numbers mean little. */
export interface Scale {
  readonly quick: boolean;
  /** Of one measured window. */
  readonly windowMs: number;
  /** Of one in which major collections have to fall as often as they do in the long run. */
  readonly longWindowMs: number;
}

/** One server's life: a world, and the crowd's behaviour in it. */
export interface Case {
  readonly name: string;
  readonly world: World;
  /** As a stage has them. */
  readonly instances?: number;
}

/** What one case of one peer gave in one round. */
export interface Finding {
  /** By the name of what was measured. */
  readonly values: Readonly<Record<string, number>>;
  /** Of everything that was sent while it was measured; empty where nothing is to be delivered. */
  readonly accounts: readonly Account[];
  /** Connections that the server ended. */
  readonly lostConnections: number;
}

/** A number of the table: one value of one case. */
export interface Column {
  readonly heading: string;
  readonly case: string;
  readonly value: string;
  readonly digits: number;
  /** The peer that the others are compared with, round by round. */
  readonly against?: PeerName;
  /** Columns of one group are a table of their own, below this heading. */
  readonly group?: string;
}

export type Chart =
  | { readonly kind: "bars"; readonly title: string; readonly unit: string; readonly columns: readonly Column[] }
  | {
      readonly kind: "lines";
      readonly title: string;
      readonly unit: string;
      readonly across: string;
      readonly points: readonly Point[];
    };

export interface Point {
  readonly x: number;
  readonly column: Column;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** A sentence or two below the title. */
  readonly text: string;
  /** All of them where absent. */
  readonly peers?: readonly PeerName[];
  readonly persist: "rest" | "local";
  readonly cases: (scale: Scale) => readonly Case[];
  readonly columns: (scale: Scale) => readonly Column[];
  readonly charts: (scale: Scale) => readonly Chart[];
  /** Connects everybody and warms the server up. */
  readonly prepare: (stage: Stage, scale: Scale) => Promise<Prepared>;
  /** Whether a server can be measured once only, because it is another one afterwards. */
  readonly once?: true;
  /** Whether its windows are the long ones. */
  readonly isLong?: true;
}

/** A server that is ready to be measured. Disposing of it disconnects everybody. */
export class Prepared implements Disposable {
  readonly #crowd: Crowd;
  readonly #measure: () => Promise<Omit<Finding, "lostConnections">>;

  constructor(crowd: Crowd, measure: () => Promise<Omit<Finding, "lostConnections">>) {
    this.#crowd = crowd;
    this.#measure = measure;
  }

  /** One window. */
  async measure(): Promise<Finding> {
    const found = await this.#measure();
    return { ...found, lostConnections: this.#crowd.lost };
  }

  [Symbol.dispose](): void {
    this.#crowd[Symbol.dispose]();
  }
}

export function crowdOf({ server, servers, peer, world }: Stage): Crowd {
  const ports = [server.port, ...servers.slice(1).map(({ port }) => port)] as const;
  return new Crowd({ ports, protocol: peer.protocol, world });
}
