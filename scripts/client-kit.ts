/** The client kit as JavaScript: what a bundler or Node.js imports from `node_modules`. */
import { execFileSync } from "node:child_process";
import { globSync, mkdtempDisposableSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Every file of `client/dist`, by path. Throws where a source does not compile. */
export function buildClientKit(): Map<string, string> {
  using folder = mkdtempDisposableSync(join(tmpdir(), "client-kit-"));
  const args = ["--project", "client", "--outDir", folder.path];
  execFileSync("node_modules/.bin/tsc", args, { stdio: ["ignore", "inherit", "inherit"] });
  const names = globSync("**/*.{js,ts,map}", { cwd: folder.path });
  return new Map(
    names.map((name) => [`client/dist/${name}`, published(name, readFileSync(join(folder.path, name), "utf8"))]),
  );
}

/** Source maps name the sources as seen from `client/dist`. Declarations keep the extensions of the sources, which are not there. */
function published(name: string, text: string): string {
  if (!name.endsWith(".map")) return text.replaceAll(/ from "(\..+)\.tsx?";/g, ' from "$1.js";');
  const up = "../".repeat(name.split("/").length);
  return text.replace(/"sources":\["[^"]*\/client\/(src\/[^"]+)"\]/, `"sources":["${up}$1"]`);
}
