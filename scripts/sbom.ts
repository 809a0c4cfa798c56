/**
 * `npm run sbom [-- --sbom-format spdx]`: the bill of materials of what is installed with the package, from package-lock.json. By itself `npm sbom
 * --omit dev` leaves out whatever a development dependency needs as well, `graphql` and `ws` among it: it is asked about a manifest without any.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";

const manifest = z.looseObject({ name: z.string() });
const lockfile = z.looseObject({
  packages: z.record(
    z.string(),
    z.looseObject({ dev: z.boolean().optional(), devOptional: z.boolean().optional(), link: z.boolean().optional() }),
  ),
});

/** What is installed with the package: neither for its development, nor of its workspaces. */
function withoutDevelopment(value: object): object {
  return { ...value, devDependencies: undefined, workspaces: undefined };
}

const own = manifest.parse(JSON.parse(readFileSync("package.json", "utf8")));
const lock = lockfile.parse(JSON.parse(readFileSync("package-lock.json", "utf8")));
const packages = Object.entries(lock.packages).flatMap(([path, entry]): (readonly [string, object])[] => {
  if (path === "") return [[path, withoutDevelopment(entry)]];
  const isInstalled = path.startsWith("node_modules/") && !entry.dev && !entry.devOptional && !entry.link;
  return isInstalled ? [[path, entry]] : [];
});

using temporary = mkdtempDisposableSync(join(tmpdir(), "sbom-"));
// npm names what it describes by its folder.
const folder = join(temporary.path, own.name);
mkdirSync(folder);
writeFileSync(join(folder, "package.json"), JSON.stringify(withoutDevelopment(own)));
writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }));
const asked = ["sbom", "--package-lock-only", "--sbom-format", "cyclonedx", "--sbom-type", "application"];
execFileSync("npm", [...asked, ...process.argv.slice(2)], { cwd: folder, stdio: "inherit" });
