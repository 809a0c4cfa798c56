/** The load balancers of `deploy/`, as their files have them, in front of gateways on this machine. */
import { spawn } from "node:child_process";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { end, listenSomewhere } from "../support/redis.ts";

export type BalancerName = "haproxy" | "nginx";

const FILES: Readonly<Record<BalancerName, string>> = { haproxy: "haproxy.cfg", nginx: "nginx.conf" };

/** The file of `deploy/`, as text. */
export function configurationOf(name: BalancerName): Promise<string> {
  return readFile(new URL(`../../deploy/${FILES[name]}`, import.meta.url), "utf8");
}

/**
 * Starts one in front of two gateways. Its file is changed in its addresses alone, and nginx's in where it writes.
 *
 * @returns where it listens, once it does.
 */
export async function startBalancer(
  name: BalancerName,
  gateways: readonly [number, number],
): Promise<AsyncDisposable & { readonly url: string; readonly wsUrl: string }> {
  await using starting = new AsyncDisposableStack();
  const { path } = starting.use(await mkdtempDisposable(join(tmpdir(), `${name}-`)));
  const file = join(path, FILES[name]);
  const text = (await configurationOf(name))
    .replaceAll("gateway-1:8080", `127.0.0.1:${gateways[0]}`)
    .replaceAll("gateway-2:8080", `127.0.0.1:${gateways[1]}`);
  const { child, port } = await listenSomewhere(
    () => spawn(name, argumentsFor(name, file, path), { env: { PATH: process.env["PATH"] }, stdio: "ignore" }),
    (candidate) => writeFile(file, placed(name, text, candidate, path)),
  );
  starting.defer(() => end(child));
  const running = starting.move();
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    wsUrl: `ws://127.0.0.1:${port}/graphql`,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function placed(name: BalancerName, text: string, port: number, directory: string): string {
  if (name === "haproxy") return text.replace("bind :8080", `bind 127.0.0.1:${port}`);
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `  ${kind}_temp_path ${directory}/${kind};`,
  );
  // One process, so that nothing stays when it is killed.
  return `daemon off;\nmaster_process off;\npid ${directory}/nginx.pid;\nerror_log ${directory}/error.log;\n${text
    .replace("listen 8080", `listen 127.0.0.1:${port}`)
    .replace("worker_processes auto", "worker_processes 1")
    .replace("http {", `http {\n${places.join("\n")}`)}`;
}

function argumentsFor(name: BalancerName, file: string, directory: string): readonly string[] {
  return name === "haproxy"
    ? ["-q", "-db", "-f", file]
    : ["-p", directory, "-c", file, "-e", join(directory, "error.log")];
}
