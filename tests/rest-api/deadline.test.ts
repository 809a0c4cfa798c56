/** The time that a request has, in a process that is held up. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Deadline } from "../../src/upstream/deadline.ts";

/** Holds the process up, until the time of every deadline that began before is over. */
function holdUp(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() <= until);
}

function watched(ms: number) {
  const deadline = new Deadline(ms);
  const expired = Promise.withResolvers<void>();
  const listener = { onExpiry: () => expired.resolve() };
  deadline.listener = listener;
  return { deadline, expired: expired.promise };
}

test("what has arrived while the process was held up is not late", async () => {
  await using stack = new AsyncDisposableStack();
  const server = createServer();
  stack.defer(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
  stack.defer(() => void near.destroy());
  const [[far]] = (await Promise.all([once(server, "connection"), once(near, "connect")])) as [[Socket], unknown];
  stack.defer(() => void far.destroy());
  // Reads from now on.
  near.resume();
  await nextTurn();
  const { deadline } = watched(1);
  far.write("an answer");
  holdUp(5);
  await once(near, "data");
  expect(deadline.isOver).toBe(false);
  deadline.cancel();
});

test("what has not arrived by then is late, and what is done before is not", async () => {
  const done = watched(1);
  done.deadline.cancel();
  const late = watched(1);
  holdUp(5);
  await late.expired;
  expect([done.deadline.isOver, late.deadline.isOver]).toEqual([false, true]);
});
