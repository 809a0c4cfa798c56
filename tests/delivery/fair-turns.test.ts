/** Work that one user can cause a lot of: others have their turns in between. */
import { expect, test } from "vitest";
import { FairTurns } from "../../src/fair-turns.ts";

/** Longer than a slice. */
function work(): void {
  const until = performance.now() + 20;
  while (performance.now() < until);
}

test("users take turns, and the event loop has its own between two pieces of long work", async () => {
  const turns = new FairTurns();
  const done: string[] = [];
  const loop = setInterval(() => done.at(-1) === "loop" || done.push("loop"), 0);
  const run = async (userId: string): Promise<void> => {
    for (let count = 0; count < 3; count++) {
      await turns.next(userId);
      work();
      done.push(userId);
    }
  };
  await Promise.all(["a", "a", "b"].map(run));
  clearInterval(loop);
  // The first ones ask at once, before anything has taken its time.
  expect(done.slice(3).join(" ")).toMatch(/^(loop )?a loop b loop a loop b loop a loop a$/);
});

test("short work is done in the turn in which it is asked for", async () => {
  const turns = new FairTurns();
  let isOver = false;
  setImmediate(() => (isOver = true));
  for (let count = 0; count < 100; count++) await turns.next("a");
  expect(isOver).toBe(false);
});
