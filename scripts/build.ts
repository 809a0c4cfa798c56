/** `npm run build`: writes what the package consists of to `dist/`, as JavaScript with types and source maps. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the sources read beside themselves. */
const ASSETS = ["src/**/*.lua", "src/server/{admin,graphiql}/*.{js,css}"];

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [compiler, "--project", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
for (const path of globSync(ASSETS, { cwd: root })) cpSync(join(root, path), join(root, "dist", path));
chmodSync(join(root, "dist/bin/graphql-chat-gateway.js"), 0o755);
