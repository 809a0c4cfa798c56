/** What is counted of operations. */
import type { GraphQLSchema } from "graphql";
import { ERROR_CATALOGUE } from "../errors.ts";
import { Counts, Durations } from "../measures.ts";

/** From cache hits to the REST API's timeout. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** `unknown`: the document could not be read. */
export type CountedType = "query" | "mutation" | "subscription" | "unknown";

const TYPES = ["query", "mutation", "subscription"] as const;

/** Their counters exist from the start, at 0: an alert on an increase would miss the first one of a counter that begins with 1. */
const CODES = ["OK", "INTERNAL_SERVER_ERROR", "UPSTREAM_UNAVAILABLE", "UPSTREAM_TIMEOUT"];

/** What is counted of the subscriptions to one field of the schema. */
export class FieldStatistics {
  readonly name: string;
  /** Running now. */
  subscriptions = 0;
  /** Events that were given to a subscription. */
  deliveries = 0;
  /** Executions that these took. */
  executions = 0;

  constructor(name: string) {
    this.name = name;
  }
}

export class OperationStatistics {
  /** Of every subscription field of the schema. */
  readonly fields: readonly FieldStatistics[];
  /** By type, how operations ended: `OK`, or the code of the first error. */
  readonly ended: ReadonlyMap<CountedType, Counts>;
  readonly durations: ReadonlyMap<CountedType, Durations>;
  readonly #byName: ReadonlyMap<string, FieldStatistics>;

  constructor(schema: GraphQLSchema) {
    this.fields = Object.keys(schema.getSubscriptionType()?.getFields() ?? {}).map((name) => new FieldStatistics(name));
    this.#byName = new Map(this.fields.map((field) => [field.name, field]));
    this.ended = new Map([...TYPES, "unknown" as const].map((type) => [type, new Counts(CODES)]));
    this.durations = new Map(TYPES.map((type) => [type, new Durations(BOUNDS)]));
  }

  /** Undefined where the schema has no such subscription field. */
  field(name: string | undefined): FieldStatistics | undefined {
    return name === undefined ? undefined : this.#byName.get(name);
  }

  /**
   * An operation has ended, or a subscription has started or could not.
   *
   * @param code of its first error; of no catalogue it counts as a defect.
   * @param startedAt as `performance.now()` tells it.
   */
  count(type: CountedType, code: unknown, startedAt?: number): void {
    this.ended.get(type)?.add(code === undefined ? "OK" : known(code));
    if (startedAt !== undefined) this.durations.get(type)?.observeSince(startedAt);
  }
}

function known(code: unknown): string {
  return typeof code === "string" && Object.hasOwn(ERROR_CATALOGUE, code) ? code : "INTERNAL_SERVER_ERROR";
}
