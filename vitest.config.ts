import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Tests of what runs in one process, in seconds. */
const QUICK = [
  "tests/architecture/**/*.test.ts",
  "tests/bench/**/*.test.ts",
  "tests/bus/{catch-up,memory,recent-events}.test.ts",
  "tests/chat/**/*.test.ts",
  "tests/configuration/{documentation,redis-address,secrets,values}.test.ts",
  "tests/delivery/{catch-up,documents,fanout,frames,gaps,room,start-variables,states,viewer}.test.ts",
  "tests/resume/{cursor,positions,replay}.test.ts",
  "tests/sessions/{clock,expiry}.test.ts",
  "tests/subscriptions/{results,stream}.test.ts",
];

export default defineConfig({
  resolve: {
    // What Node resolves `graphql` to. Left alone, tests get `index.mjs` and the libraries that they import `index.js`:
    // two copies, and the schemas and errors of one are none to the other.
    alias: [
      { find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve("graphql")) },
      // The package exports what `npm run build` makes of it.
      {
        find: "graphql-chat-gateway/adapter",
        replacement: fileURLToPath(import.meta.resolve("./src/upstream/adapter/adapter.ts")),
      },
    ],
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
      // The inner loop: no process, no Redis, no browser.
      { extends: true, test: { name: "quick", include: QUICK } },
    ],
    // Processes, not threads: what a test does to signals, sockets and unhandled rejections is then as in production.
    pool: "forks",
    // A worker runs many files, with one copy of the sources: there is no mutable state at module level that they could share, and to
    // import everything again for each file would take a fifth of the time.
    isolate: false,
    // Twice the cores that CI has: most of a test is waiting, for time or for other processes.
    maxWorkers: 4,
    // Real processes, a real Redis and a browser share the machine. A starved machine is slow, and passes all the same: a timeout is there
    // for what hangs.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: {
      // A test that asserts nothing cannot fail.
      requireAssertions: true,
      poll: { timeout: 30_000, interval: 20 },
    },
  },
});
