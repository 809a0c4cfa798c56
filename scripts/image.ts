/**
 * `npm run image`: builds and starts the image of the Dockerfile without a container engine. Every stage is a bare directory, every step runs in
 * it as an ordinary user, and the result has to answer its health check and to stop at SIGTERM.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { startDevApi } from "../src/dev/api.ts";
import { COMPILE_CACHE_TRACE, readCompileCache } from "./compile-cache.ts";

/** Nobody, where this is run by root. */
const USER = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

interface Stage {
  /** What is `/` in the image. */
  readonly root: string;
  readonly environment: Record<string, string>;
  workdir: string;
  command: readonly string[];
  healthCheck: readonly string[];
}

/** The instructions, one a line. */
function instructions(dockerfile: string): [instruction: string, rest: string][] {
  return dockerfile
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, instruction = "", rest = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return [instruction, rest];
    });
}

function build(directory: string): Stage {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const [instruction, rest] of instructions(readFileSync("Dockerfile", "utf8"))) {
    if (instruction === "ARG") continue;
    if (instruction === "FROM") {
      const name = / AS (\w+)$/.exec(rest)?.[1] ?? "image";
      const root = join(directory, name);
      mkdirSync(root);
      own(root);
      stage = { root, environment: {}, workdir: root, command: [], healthCheck: [] };
      stages.set(name, stage);
    } else if (stage) {
      step(stage, stages, instruction, rest);
    }
  }
  const image = stages.get("image");
  if (!image) throw new Error("the Dockerfile has no last stage");
  return image;
}

function step(stage: Stage, stages: ReadonlyMap<string, Stage>, instruction: string, rest: string): void {
  process.stdout.write(`${basename(stage.root)}: ${instruction} ${rest}\n`);
  switch (instruction) {
    case "WORKDIR":
      stage.workdir = join(stage.root, rest);
      mkdirSync(stage.workdir, { recursive: true });
      own(stage.workdir);
      break;
    case "ENV":
      for (const [, name = "", value = ""] of rest.matchAll(/(\w+)=(\S+)/g)) {
        stage.environment[name] = value.startsWith("/") ? join(stage.root, value) : value;
      }
      break;
    case "COPY":
      copy(stage, stages, rest.split(" "));
      break;
    case "RUN":
      // The machine's proxies and certificates, as a container engine would pass them on.
      execFileSync("sh", ["-c", rest], {
        cwd: stage.workdir,
        env: { ...process.env, ...environmentOf(stage) },
        stdio: "inherit",
        ...USER,
      });
      break;
    case "HEALTHCHECK":
      stage.healthCheck = wordsIn(rest);
      break;
    case "CMD":
      stage.command = wordsIn(rest);
      break;
    case "USER":
    case "EXPOSE":
      break;
    default:
      throw new Error(`what does ${instruction} do?`);
  }
}

function copy(stage: Stage, stages: ReadonlyMap<string, Stage>, words: readonly string[]): void {
  const [, from] = /^--from=(\w+)$/.exec(words[0] ?? "") ?? [];
  const sources = words.slice(from === undefined ? 0 : 1, -1);
  const target = words.at(-1) ?? "";
  const ignored = readFileSync(".dockerignore", "utf8").split("\n");
  for (const source of sources) {
    if (from === undefined && !ignored.includes(`!${source}`)) throw new Error(`.dockerignore keeps ${source} out`);
    const path = from === undefined ? source : join(stages.get(from)?.root ?? "", source);
    const isDirectory = target.endsWith("/");
    const place = join(
      stage.workdir,
      target,
      isDirectory ? basename(source) : target === "." || target === "./" ? basename(source) : "",
    );
    mkdirSync(join(place, ".."), { recursive: true });
    cpSync(path, place, { recursive: true, verbatimSymlinks: true });
    own(join(place, ".."));
    own(place);
    for (const inner of globSync(`${place}/**`)) own(inner);
  }
}

function own(path: string): void {
  if (USER.uid !== undefined && existsSync(path)) chownSync(path, USER.uid, USER.gid);
}

function wordsIn(text: string): readonly string[] {
  const words: unknown = JSON.parse(/\[.*\]$/.exec(text)?.[0] ?? "[]");
  return Array.isArray(words) ? words.map(String) : [];
}

function environmentOf(stage: Stage): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: stage.root,
    npm_config_cache: join(stage.root, ".npm"),
    ...stage.environment,
  };
}

/** Starts the image's command on a file system that nobody can write to, asks it how it is, and stops it. */
async function tryOut(image: Stage): Promise<void> {
  for (const path of globSync(`${image.root}/app/*`)) chmodSync(path, 0o555);
  await using api = await startDevApi({ file: ":memory:" });
  const env = { ...environmentOf(image), HTTP_API_URL: api.url, HOST: "127.0.0.1", PORT: "0", DRAIN_WINDOW: "0" };
  const started = performance.now();
  const trace = join(image.root, "trace");
  const gateway = run(image, image.command, { ...env, ...COMPILE_CACHE_TRACE }, openSync(trace, "w"));
  const port = await listening(gateway);
  process.stdout.write(`listens after ${Math.round(performance.now() - started)} ms\n`);
  const health = await exitCodeOf(run(image, image.healthCheck, { ...env, PORT: port }));
  gateway.kill("SIGTERM");
  const code = await exitCodeOf(gateway);
  const { loaded, compiled } = readCompileCache(readFileSync(trace, "utf8"));
  // The command itself runs before it can be imported.
  const missing = compiled.filter((path) => !path.endsWith("/bin/graphql-chat-gateway.js"));
  process.stdout.write(`health check ${health}, exit code ${code}\n`);
  process.stdout.write(
    `${loaded.length} modules, of which the compile cache does not have: ${missing.join(" ") || "none"}\n`,
  );
  process.exitCode = health === 0 && code === 0 && loaded.length > 0 && missing.length === 0 ? 0 : 1;
}

function run(
  image: Stage,
  [program = "", ...args]: readonly string[],
  env: Record<string, string>,
  errors: "inherit" | number = "inherit",
): ChildProcess {
  return spawn(program, args, { cwd: image.workdir, env, stdio: ["ignore", "pipe", errors], ...USER });
}

async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, "exit");
  return child.exitCode;
}

async function listening({ stdout }: ChildProcess): Promise<string> {
  if (stdout) {
    for await (const line of createInterface(stdout)) {
      const url = /"url":"([^"]+)"/.exec(line)?.[1];
      if (url !== undefined) return new URL(url).port;
    }
  }
  throw new Error("the image's command ended");
}

const directory = mkdtempSync(join(tmpdir(), "image-"));
chmodSync(directory, 0o755);
try {
  await tryOut(build(directory));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
