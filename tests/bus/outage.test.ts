/** What an outage of Redis reports to the log. */
import { expect, test } from "vitest";
import { Outage } from "../../src/bus/redis/connection/outage.ts";
import { Refusals } from "../../src/bus/redis/connection/refusals.ts";

const UNREACHABLE = new Error("connect ECONNREFUSED 127.0.0.1:6379");
const REFUSED = new Error("WRONGPASS invalid username-password pair or user is disabled.");
const CONSEQUENCE = new Error("Connection is closed.");

function watchedOutage() {
  const told: unknown[] = [];
  const refusals = new Refusals({ onRefused: (error) => void told.push(error) });
  const outage = new Outage(
    {
      onOutage: (error) => void told.push(error),
      onReturn: () => void told.push("connected"),
    },
    refusals,
  );
  return { outage, refusals, told };
}

test("is the reason, where it is known", () => {
  const { outage, told } = watchedOutage();
  outage.failed(UNREACHABLE);
  outage.begin();
  outage.failed(UNREACHABLE);
  expect(told).toEqual([UNREACHABLE]);
});

test("is a refusal that comes later, once", () => {
  const { outage, told } = watchedOutage();
  outage.failed(UNREACHABLE);
  outage.begin();
  for (const error of [UNREACHABLE, REFUSED, REFUSED]) outage.failed(error);
  expect(told).toEqual([UNREACHABLE, REFUSED]);
});

test("is the first reason that comes to light, where there has been no connection yet", () => {
  const { outage, told } = watchedOutage();
  outage.begin();
  for (const error of [CONSEQUENCE, UNREACHABLE, UNREACHABLE, REFUSED, REFUSED]) outage.failed(error);
  outage.end();
  outage.begin();
  outage.failed(UNREACHABLE);
  expect(told).toEqual([undefined, UNREACHABLE, REFUSED, "connected", undefined]);
});

test("is the reason too where what follows from it came to light first, and there has been no connection yet", () => {
  const { outage, told } = watchedOutage();
  outage.failed(CONSEQUENCE);
  outage.begin();
  for (const error of [CONSEQUENCE, UNREACHABLE, UNREACHABLE]) outage.failed(error);
  expect(told).toEqual([CONSEQUENCE, UNREACHABLE]);
});

test("does not repeat why Redis refuses to write, where its connection is given up for that", () => {
  const { outage, refusals, told } = watchedOutage();
  const first = new Error("READONLY You can't write against a read only replica.");
  refusals.add("event", first);
  outage.failed(new Error("READONLY You can't write against a read only replica. script: 1"));
  outage.begin();
  expect(told).toEqual([first, undefined]);
});
