/** The alerts of `deploy/prometheus/`: what they ask for is there, and each has a unit test in which it fires. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { startGateway } from "../support/gateway.ts";
import { scrape } from "../support/metrics.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

interface UnitTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
}

function read(name: string): unknown {
  return parse(readFileSync(new URL(`../../deploy/prometheus/${name}`, import.meta.url), "utf8"));
}

const { groups } = read("alerts.yml") as { groups: readonly { rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

test("each alert is silent at one moment of its unit test, and fires at another", () => {
  const { tests } = read("alerts.test.yml") as { tests: readonly UnitTest[] };
  const checks = tests.flatMap((one) => one.alert_rule_test);
  const namesOf = (isFiring: boolean): string[] =>
    checks.filter(({ exp_alerts }) => exp_alerts.length > 0 === isFiring).map(({ alertname }) => alertname);
  const alerts = rules.map(({ alert }) => alert).toSorted();
  expect(alerts.length).toBeGreaterThan(10);
  expect([...new Set(namesOf(true))].toSorted()).toEqual(alerts);
  expect([...new Set(namesOf(false))].toSorted()).toEqual(alerts);
});

// Prometheus sees no increase in a series that begins with 1.
test("each series that an alert names is there from the start", async () => {
  await using gateway = await startGateway({ ADMIN_PORT: "0" });
  const scraped = await scrape(gateway.adminUrl ?? "");
  const named = rules.flatMap(({ expr }) =>
    [...expr.matchAll(/(chat_gateway_\w+)\{(\w+)=~?"([^"]+)"\}/g)].flatMap(([, name = "", label = "", values = ""]) =>
      values.split("|").map((value) => ({ name, label, value })),
    ),
  );
  expect(named.length).toBeGreaterThan(3);
  const absent = named.filter(({ name, label, value }) => scraped.value(name, { [label]: value }) === undefined);
  expect(absent).toEqual([]);
});

test("the alerts are for the job that Prometheus scrapes", () => {
  const { scrape_configs } = read("prometheus.yml") as { scrape_configs: readonly { job_name: string }[] };
  const jobs = rules.flatMap(({ expr }) => [...expr.matchAll(/job="([^"]+)"/g)].map(([, job]) => job));
  expect(new Set(jobs)).toEqual(new Set(scrape_configs.map(({ job_name }) => job_name)));
});
