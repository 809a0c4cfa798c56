import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { demandOf, reached, rechecksPerSecond, type UnitCosts } from "../../scripts/capacity/demand.ts";
import {
  capacityTables,
  deploymentsOf,
  readMeasured,
  sizingSection,
  withTables,
} from "../../scripts/capacity/document.ts";
import { leastCosts, leastSquares } from "../../scripts/capacity/least-squares.ts";

const COSTS: UnitCosts = {
  messageUs: 500,
  deliveryUs: 10,
  confirmationUs: 50,
  arrivalUs: 100,
  connectUs: 1000,
  connectionKiB: 20,
  processMiB: 100,
  redis: { messageUs: 100, arrivalUs: 10, commandUs: 20 },
};
const LOAD = {
  connections: 12_000,
  devices: 1.2,
  chatsPerUser: 20,
  membersPerChat: 10,
  onlineShare: 0.5,
  messagesPerHour: 12,
  receipts: 2,
  resumable: 2,
  sessionMinutes: 20,
};
const SETTINGS = {
  heartbeatMs: 30_000,
  recheckIntervalMs: 60_000,
  recheckBudget: 50,
  connectionsPerInstance: 10_000,
  coreShare: 0.6,
};

describe("capacity", () => {
  it("finds the costs that measured sums consist of", () => {
    const rows = [
      [1, 1, 10],
      [1, 1, 5],
      [1, 2, 10],
      [1, 4, 5],
    ];
    const [a, b, c] = leastSquares(
      rows,
      rows.map(([x = 0, y = 0, z = 0]) => 7 * x + 30 * y + 2 * z),
    );
    expect([a, b, c]).toEqual([expect.closeTo(7), expect.closeTo(30), expect.closeTo(2)]);
  });

  it("takes a cost that would be negative as none", () => {
    const rows = [
      [1, 1],
      [1, 2],
      [1, 3],
    ];
    expect(leastCosts(rows, [30, 20, 15])).toEqual([expect.closeTo(18.6207, 3), 0]);
  });

  it("refuses to tell costs apart that were only measured together", () => {
    expect(() =>
      leastSquares(
        [
          [1, 2],
          [2, 4],
        ],
        [3, 6],
      ),
    ).toThrow("do not determine");
  });

  it("bounds rechecks by the budget of each instance", () => {
    // Measured once, before there was a budget: 667 a second.
    expect(rechecksPerSecond(15_000, { recheckIntervalMs: 60_000, recheckBudget: Infinity })).toBeCloseTo(666.7, 1);
    expect(rechecksPerSecond(15_000, { recheckIntervalMs: 60_000, recheckBudget: 50 })).toBe(50);
  });

  it("counts the instances on which an event's receivers are", () => {
    expect(reached(10, 1)).toBe(1);
    expect(reached(2, 2)).toBeCloseTo(1.5);
    expect(reached(10, 1e6)).toBeCloseTo(10, 3);
  });

  it("adds up what a load needs", () => {
    // 10,000 users send 100 events a second, each to 6 connections; 10 connections open a second.
    const demand = demandOf(LOAD, SETTINGS, COSTS);
    expect(demand).toMatchObject({
      eventsPerSecond: 100,
      deliveriesPerSecond: 600,
      connectsPerSecond: 10,
      instances: 2,
      masters: 1,
      restSendsPerSecond: 100,
      restConnectsPerSecond: 20,
      restRechecksPerSecond: 100,
      channelsPerInstance: 40_000,
    });
    expect(demand.confirmationsPerSecond).toBeCloseTo(12_000 * (0.05 + 1 / 30) * 2);
    expect(demand.instanceMiB).toBeCloseTo(100 + (6000 * 20) / 1024);
    // 100 × (500 + 1.969 × 100) + 600 × 10 + 2,000 × 50 + 10 × 1,000 + 16.7 × 2 × 100 µs a second, on two.
    expect(demand.instanceShare).toBeCloseTo((69_688 + 6000 + 100_000 + 10_000 + 3333) / 2e6, 4);
    expect(demand.usersMasterShare).toBeCloseTo((16.667 * (100 + 2 * 10)) / 1e6);
  });

  it("divides a load of whose presence an instance cannot keep track", () => {
    const load = { ...LOAD, connections: 12_000_000 };
    expect(demandOf(load, SETTINGS, COSTS).instances).toBeUndefined();
    const { count, each } = deploymentsOf(load, SETTINGS, COSTS);
    expect(count).toBeGreaterThan(1);
    expect(each.presenceShare).toBeLessThanOrEqual(0.3);
    expect(each.instances).toBeDefined();
  });

  it("is documented as it is computed", () => {
    const document = readFileSync(new URL("../../docs/CAPACITY.md", import.meta.url), "utf8");
    expect(withTables(document, capacityTables(readMeasured()))).toBe(document);
  });

  it("has the sizes of docs/OPERATIONS.md as they were measured", () => {
    const document = readFileSync(new URL("../../docs/OPERATIONS.md", import.meta.url), "utf8");
    expect(withTables(document, sizingSection(readMeasured()), "sizing")).toBe(document);
  });
});
