import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    // What Node resolves `graphql` to. Left alone, tests get `index.mjs` and the libraries that they import `index.js`:
    // two copies, and the schemas and errors of one are none to the other.
    alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve("graphql")) }],
  },
  test: {
    projects: [
      { extends: true, test: { name: "memory", include: ["tests/**/*.test.ts"] } },
      // What a client sees is the same on Redis.
      {
        extends: true,
        test: {
          name: "redis",
          include: ["tests/{conversation,subscriptions,resume}/**/*.test.ts"],
          globalSetup: "tests/support/on-redis.ts",
        },
      },
    ],
    // Processes, not threads: what a test does to signals, sockets and unhandled rejections is then as in production.
    pool: "forks",
    maxWorkers: 2,
    // Real processes, a real Redis and a browser share two cores in CI: one that was starved has a second chance there, and both are
    // in the output. Nowhere else.
    retry: process.env["CI"] === "true" ? 1 : 0,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // A test that asserts nothing cannot fail.
    expect: { requireAssertions: true },
  },
});
