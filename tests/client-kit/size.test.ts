/** What a page has to load. */
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

/** Bytes of the bundle that a page loads for these exports, minified and compressed; React is not part of it. */
async function bundledBytes(exports: string): Promise<number> {
  const entry = "page.js";
  const bundle = await rolldown({
    input: entry,
    external: ["react"],
    logLevel: "silent",
    plugins: [
      {
        name: "page",
        resolveId: (id) => (id === entry ? `${process.cwd()}/${entry}` : null),
        load: (id) => (id.endsWith(`/${entry}`) ? exports : null),
      },
    ],
  });
  const { output } = await bundle.generate({ format: "es", minify: true });
  return gzipSync(output[0].code, { level: 9 }).length;
}

const KIT = 'export { createChatClient } from "graphql-chat-client";';

test("the kit takes 8 kB, graphql-ws included, and the hooks 2 KiB more", async () => {
  const kit = await bundledBytes(KIT);
  // With esbuild it is 250 bytes more.
  expect(kit).toBeLessThanOrEqual(7750);
  await expect(bundledBytes(`${KIT} export * from "graphql-chat-client/react";`)).resolves.toBeLessThanOrEqual(
    kit + 2048,
  );
});

test("everything that the kit exports takes 8.2 kB", async () => {
  await expect(bundledBytes('export * from "graphql-chat-client";')).resolves.toBeLessThanOrEqual(8200);
});

test("resumable takes 1 kB", async () => {
  await expect(bundledBytes('export { resumable } from "graphql-chat-client";')).resolves.toBeLessThanOrEqual(1000);
});
