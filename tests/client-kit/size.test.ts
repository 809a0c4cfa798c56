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
  // Like Vite: without the annotations that other bundlers would read.
  const { output } = await bundle.generate({ format: "es", minify: true, comments: false });
  return gzipSync(output[0].code, { level: 9 }).length;
}

const KIT = 'export { createChatClient } from "graphql-chat-client";';

test("everything that the kit exports takes 8 kB, graphql-ws included", async () => {
  // With esbuild it is 320 bytes more.
  await expect(bundledBytes('export * from "graphql-chat-client";')).resolves.toBeLessThanOrEqual(8000);
});

test("createChatClient takes 7.6 kB, and the hooks 2 kB more", async () => {
  const kit = await bundledBytes(KIT);
  expect(kit).toBeLessThanOrEqual(7600);
  await expect(bundledBytes(`${KIT} export * from "graphql-chat-client/react";`)).resolves.toBeLessThanOrEqual(
    kit + 2000,
  );
});

test("resumable alone takes 0.9 kB", async () => {
  await expect(bundledBytes('export { resumable } from "graphql-chat-client";')).resolves.toBeLessThanOrEqual(900);
});
