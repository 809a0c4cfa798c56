/** The packages as somebody gets them: packed, and installed from the tarballs into an empty folder. */
import { execFile } from "node:child_process";
import { mkdtempDisposable, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Installation extends AsyncDisposable {
  /** The folder, with `node_modules` and nothing else but a manifest. */
  readonly path: string;
  /** The packages as they were packed. */
  readonly tarballs: readonly string[];
  /** What is in the tarball of each package. */
  readonly files: Readonly<Record<"graphql-chat-gateway" | "graphql-chat-client", readonly string[]>>;
  /** What starts the command that the package brings. */
  readonly command: (...args: readonly string[]) => readonly [string, ...string[]];
}

const run = promisify(execFile);

/** Packs both packages of this project, and installs them. */
export async function installPackages(): Promise<Installation> {
  await using starting = new AsyncDisposableStack();
  const { path } = starting.use(await mkdtempDisposable(join(tmpdir(), "package-")));
  const both = ["--workspace", "graphql-chat-client", "--include-workspace-root"];
  const { stdout } = await run("npm", ["pack", "--json", ...both, "--pack-destination", path], { cwd: ROOT });
  const packed = JSON.parse(stdout) as { name: string; files: { path: string }[] }[];
  const filesOf = (name: string): string[] =>
    packed.find((one) => one.name === name)?.files.map((file) => file.path) ?? [];
  const tarballs = (await readdir(path)).filter((file) => file.endsWith(".tgz")).map((file) => join(path, file));
  await writeFile(join(path, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await installInto(path, tarballs);
  const running = starting.move();
  return {
    path,
    tarballs,
    files: {
      "graphql-chat-gateway": filesOf("graphql-chat-gateway"),
      "graphql-chat-client": filesOf("graphql-chat-client"),
    },
    command: (...args) => [process.execPath, join(path, "node_modules/.bin/graphql-chat-gateway"), ...args],
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Installs packages into a folder that has a manifest. */
export async function installInto(path: string, packages: readonly string[]): Promise<void> {
  const quick = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  await run("npm", ["install", ...quick, ...packages], { cwd: path });
}
