/** `npm run build`: writes what the package consists of to `dist/`, as JavaScript with types and source maps. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [compiler, "--project", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
// What the sources read beside themselves: scripts of Redis, pages.
const assets = globSync("src/**/*.*", { cwd: root, exclude: ["**/*.ts"] });
for (const path of assets) cpSync(join(root, path), join(root, "dist", path), { force: false, errorOnExist: true });
chmodSync(join(root, "dist/bin/graphql-chat-gateway.js"), 0o755);
