/** What single things cost, from measurements of `npm run bench`, and what the sum of them predicts of other measured points. */
import { summaryOf, type Results } from "../../bench/report/results.ts";
import type { UnitCosts } from "./demand.ts";
import { leastCosts } from "./least-squares.ts";

/** One thing that was measured, and what the unit costs make of it. */
export interface Check {
  readonly what: string;
  readonly unit: string;
  readonly predicted: number;
  readonly measured: number;
  /** Whether the costs come from it, among others: then it shows how well the sum describes them, and predicts nothing. */
  readonly isFitted: boolean;
}

const DELIVERIES = 10;
const GROWTH_RATE = 200;
const GROWTH_SIZES = [1000, 2000, 5000, 10_000];
const FITTED_SIZES = [1000, 10_000];
const INSTANCES = [1, 2, 4];
const RATES = [100, 200];

/** Throws where a scenario that is needed was not measured. */
export function costsOf(results: Results): UnitCosts {
  const deliveryUs = gateway(results, "fan-out", "1000 in one chat", "single");
  const points = INSTANCES.flatMap((instances) =>
    RATES.map((rate) => ({ instances, rate, row: [1, instances, confirmationsOf(1000, rate)] })),
  );
  const fit = (value: "servers" | "redis"): readonly [number, number, number] => {
    const known = value === "servers" ? DELIVERIES * deliveryUs : 0;
    const measured = points.map(
      ({ instances, rate }) => gateway(results, "instances", caseOf(instances), `${value}-${rate}`) - known,
    );
    const [fixed = 0, perInstance = 0, perConfirmation = 0] = leastCosts(
      points.map(({ row }) => row),
      measured,
    );
    return [fixed, perInstance, perConfirmation];
  };
  const [servers, redis] = [fit("servers"), fit("redis")];
  const idleKiB = gateway(results, "idle", "18,000 people", "perConnection");
  return {
    messageUs: servers[0],
    deliveryUs,
    arrivalUs: servers[1],
    confirmationUs: servers[2],
    connectUs: gateway(results, "connecting", "2,000 people", "cost"),
    connectionKiB: idleKiB,
    processMiB: gateway(results, "idle", "18,000 people", "resident") - (IDLE * idleKiB) / 1024,
    redis: { messageUs: redis[0], arrivalUs: redis[1], commandUs: redis[2] },
  };
}

const IDLE = 18_000;

/** A client confirms what it has received, at most once a second: so many confirmations are there for each message. */
function confirmationsOf(people: number, messagesPerSecond: number): number {
  return Math.min(DELIVERIES, people / messagesPerSecond);
}

export function checksOf(results: Results, costs: UnitCosts): readonly Check[] {
  const fitted = INSTANCES.flatMap((instances) =>
    RATES.flatMap((rate): Check[] => {
      const confirmations = confirmationsOf(1000, rate);
      const about = `${caseOf(instances)}, ${rate} messages/s`;
      const sum = (message: number, arrival: number, confirmation: number): number =>
        message + instances * arrival + confirmations * confirmation;
      const { messageUs, deliveryUs, arrivalUs, confirmationUs, redis } = costs;
      return [
        {
          what: `${about}: all instances`,
          unit: "µs per message",
          predicted: sum(messageUs + DELIVERIES * deliveryUs, arrivalUs, confirmationUs),
          measured: gateway(results, "instances", caseOf(instances), `servers-${rate}`),
          isFitted: true,
        },
        {
          what: `${about}: Redis`,
          unit: "µs per message",
          predicted: sum(redis.messageUs, redis.arrivalUs, redis.commandUs),
          measured: gateway(results, "instances", caseOf(instances), `redis-${rate}`),
          isFitted: true,
        },
      ];
    }),
  );
  return [...fitted, ...checksOfOneProcess(results, costs)];
}

/** One process without Redis: two points give what a message and a confirmation cost there, the others are predicted. */
function checksOfOneProcess(results: Results, { deliveryUs }: UnitCosts): readonly Check[] {
  const measured = (connections: number): number =>
    DELIVERIES * gateway(results, "growth-connections", `${connections} connections`, "perDelivery");
  const confirmations = (connections: number): number => confirmationsOf(connections, GROWTH_RATE);
  const [message = 0, confirmation = 0] = leastCosts(
    FITTED_SIZES.map((connections) => [1, confirmations(connections)]),
    FITTED_SIZES.map((connections) => measured(connections) - DELIVERIES * deliveryUs),
  );
  const growth = GROWTH_SIZES.map((connections) => ({
    what: `one process, ${connections.toLocaleString("en")} connections, ${GROWTH_RATE} messages/s`,
    unit: "µs per message",
    predicted: message + DELIVERIES * deliveryUs + confirmations(connections) * confirmation,
    measured: measured(connections),
    isFitted: FITTED_SIZES.includes(connections),
  }));
  return [
    ...growth,
    {
      what: "one process, 5,000 connections, 500 messages/s",
      unit: "µs per message",
      predicted: message + DELIVERIES * deliveryUs + confirmationsOf(5000, 500) * confirmation,
      measured: gateway(results, "small-chats", "5000 in chats of ten", "perMessage"),
      isFitted: false,
    },
  ];
}

function caseOf(instances: number): string {
  return instances === 1 ? "1 instance" : `${instances} instances`;
}

function gateway(results: Results, scenario: string, inCase: string, value: string): number {
  const result = results[scenario];
  const summary = result && summaryOf(result, "gateway", inCase, value);
  if (!summary) throw new Error(`measured.json: nothing of ${scenario}, ${inCase}, ${value}`);
  return summary.median;
}
