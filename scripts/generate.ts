/**
 * Writes every generated file: the printed schema, the typed documents of its operations, `.env.example`, the configuration's
 * table in README, the client kit as JavaScript, and the demo's page. With `--check` it writes nothing, names the files that differ and exits with 1.
 */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { generate } from "@graphql-codegen/cli";
import { z } from "zod";
import codegen from "../codegen.ts";
import kitCodegen from "../examples/react-kit/codegen.ts";
import sharedCodegen from "../examples/shared/codegen.ts";
import { CONFIG_TABLE } from "../src/config/config.ts";
import { buildSchema } from "../src/graphql/schema.ts";
import { buildClientKit } from "./client-kit.ts";
import { buildDemoPage } from "./demo-page.ts";
import { envExample, printPublishedSchema, withConfigurationTable } from "./generated.ts";
import { thirdPartyNotices } from "./notices.ts";

/** Every file of these is generated; one that nothing generates any more is removed. */
const GENERATED = [
  "tests/support/generated/**/*.ts",
  "examples/{shared,react-*/src}/generated/**/*.ts",
  "client/dist/**/*.{js,ts,map}",
];

/** What graphql-codegen answers where it is not to write. */
const outputs = z.array(z.object({ filename: z.string(), content: z.string() }));

/** Applications whose operations have types of their own, by folder. */
const APPLICATIONS = {
  "examples/react-kit": kitCodegen,
  "examples/shared": sharedCodegen,
};

async function typedDocuments(schema: string): Promise<[path: string, content: string][]> {
  const folders = Object.entries({ ".": codegen, ...APPLICATIONS });
  const generated = await Promise.all(
    folders.map(async ([folder, config]) => {
      const files = outputs.parse(
        await generate({ ...config, cwd: resolve(folder), schema, silent: true, errorsOnly: true }, false),
      );
      return files.map(({ filename, content }): [string, string] => [join(folder, filename), content]);
    }),
  );
  return generated.flat();
}

async function generatedFiles(): Promise<Map<string, string>> {
  const schema = printPublishedSchema(buildSchema());
  return new Map([
    ["schema/schema.graphql", schema],
    [".env.example", envExample(CONFIG_TABLE)],
    ["THIRD_PARTY_NOTICES", thirdPartyNotices(".")],
    ["README.md", withConfigurationTable(readFileSync("README.md", "utf8"), CONFIG_TABLE)],
    ...(await typedDocuments(schema)),
    ...buildClientKit(),
    ["src/server/demo/demo.html", await buildDemoPage()],
  ]);
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

const files = await generatedFiles();
const changed = [...files].filter(([path, content]) => read(path) !== content);
const orphans = globSync(GENERATED).filter((path) => !files.has(path));
const stale = [...changed.map(([path]) => path), ...orphans];

if (!process.argv.includes("--check")) {
  for (const [path, content] of changed) write(path, content);
  for (const path of orphans) rmSync(path);
  process.stdout.write(stale.length === 0 ? "Every generated file was up to date.\n" : `Wrote ${stale.join(", ")}.\n`);
} else if (stale.length > 0) {
  process.stderr.write(`Out of date: ${stale.join(", ")}. Run "npm run codegen" and commit what it writes.\n`);
  process.exitCode = 1;
} else {
  process.stdout.write("Every generated file is up to date.\n");
}
