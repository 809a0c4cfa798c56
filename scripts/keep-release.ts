/**
 * `npm run keep-release`: builds the package's JavaScript and keeps it in `tests/instances/releases/`, by its version. A test runs it beside the
 * sources, so that what instances of two versions write for one another stays readable. It has what the gateway runs, and none of its dependencies.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { packageVersion } from "../src/version.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const releases = "tests/instances/releases";

/** What the command runs without: types, source maps, the doctor and the development API. */
const LEFT_OUT = ["*.d.ts", "*.map", "dist/scripts", "dist/src/dev"];

const archive = `${releases}/${packageVersion()}.tgz`;
if (existsSync(`${root}/${archive}`)) throw new Error(`${archive} is there: what was released does not change`);
await import("./build.ts");
mkdirSync(`${root}/${releases}`, { recursive: true });
// The same sources give the same bytes.
const options = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--use-compress-program=gzip --no-name --best"];
const left = LEFT_OUT.map((pattern) => `--exclude=${pattern}`);
execFileSync("tar", [...options, ...left, "-cf", archive, "dist", "package.json"], { cwd: root });
process.stdout.write(`${archive}\n`);
