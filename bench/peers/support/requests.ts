/** What the benchmark asks a server for, and `instruments.ts` answers, one after the other. */

export type Request =
  /** Collect all garbage. */
  | { readonly type: "collect" }
  /** Begin to observe; `observed` ends it and is answered with what was seen. */
  | { readonly type: "observe" }
  | { readonly type: "observed" }
  /** Begin a processor profile; `profiled` ends it and writes it to a file. */
  | { readonly type: "profile" }
  | { readonly type: "profiled"; readonly file: string }
  /** Say how much of the heap is in use after a collection. */
  | { readonly type: "heap" }
  /** Write a snapshot of the heap to a file. */
  | { readonly type: "snapshot"; readonly file: string };

export interface Answer {
  /** Absent of other requests than `observed`, and of a server that cannot be observed. */
  readonly observation?: Observation;
  /** Of `heap`. */
  readonly heapBytes?: number;
}

export interface Observation {
  /** Collections of the young generation. */
  readonly minor: Collections;
  /** Collections of the whole heap, with the steps of their marking. */
  readonly major: Collections;
  /** By how much timers of the server were late. `max` is the longest turn of the event loop. */
  readonly delayMs: { readonly p99: number; readonly p999: number; readonly max: number };
}

interface Collections {
  readonly count: number;
  /** For how long the process stood still, in all. */
  readonly ms: number;
}
