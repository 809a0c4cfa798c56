/** Under what circumstances something was measured. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem } from "node:os";
import process from "node:process";
import { BUN, GATEWAY_ROOT } from "./peers.ts";

export function describeMachine(): Record<string, string> {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: String(cpus().length),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
  };
}

export function describeVersions(): Record<string, string> {
  const libraries = [
    "graphql",
    "graphql-ws",
    "graphql-yoga",
    "graphql-redis-subscriptions",
    "graphql-subscriptions",
    "ws",
    "socket.io",
    "undici",
  ];
  return {
    gateway: gatewayVersion(GATEWAY_ROOT),
    Node: process.versions.node,
    Bun: run(BUN, ["--version"]),
    Redis: /v=(\S+)/.exec(run("redis-server", ["--version"]))?.[1] ?? "none",
    ...Object.fromEntries(libraries.map((name) => [name, versionOf(name)])),
  };
}

/** The number, and the revision where there is one; `+` where the sources have changed since. */
export function gatewayVersion(root: string): string {
  const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as { version: string };
  // Of what is measured: a commit to this folder or to documents changes nothing.
  const revision = run("git", ["-C", root, "log", "-1", "--format=%h", "--", "src", "package-lock.json"]);
  const changes = run("git", ["-C", root, "status", "--porcelain", "src", "package-lock.json"]);
  return revision === "" ? version : `${version} (${revision}${changes === "" ? "" : "+"})`;
}

function versionOf(name: string): string {
  const paths = createRequire(import.meta.url).resolve.paths(name) ?? [];
  for (const path of paths) {
    try {
      return (JSON.parse(readFileSync(`${path}/${name}/package.json`, "utf8")) as { version: string }).version;
    } catch {
      // The next folder up has it.
    }
  }
  return "not installed";
}

function run(file: string, args: readonly string[]): string {
  try {
    return execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
}
