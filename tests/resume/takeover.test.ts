/** What a subscription leaves alone that another one with its key has taken over. */
import { expect, test } from "vitest";
import type { ConnectionListener } from "../../src/bus/bus.ts";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { createTestBus } from "../support/bus.ts";
import { startGateway } from "../support/gateway.ts";
import { Inbox } from "../support/inbox.ts";
import { visit } from "../support/returning-client.ts";

const [alice] = DEMO_USERS;

test("the end of a connection that was left takes no position of the next one from what is written to an emptied bus", async () => {
  const bus = createTestBus();
  const refused = new Inbox<string>();
  const restored: string[] = [];
  const listeners = new Set<ConnectionListener>();
  const put: typeof bus.fenced.put = async (key, ...parameters) => {
    const isSet = await bus.fenced.put(key, ...parameters);
    if (!isSet) refused.put(key);
    return isSet;
  };
  const restore: typeof bus.fenced.restore = async (key) => restored.push(key) > 0;
  const observe: typeof bus.observe = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  await using gateway = await startGateway({}, { bus: { ...bus, observe, fenced: { ...bus.fenced, put, restore } } });
  await using left = await visit(gateway.wsUrl, alice.token);
  await left.follow("1");
  await using next = await visit(gateway.wsUrl, alice.token);
  await next.follow("1");
  await left.drop();
  const key = await refused.next();
  await next.handled();
  await Promise.all([...listeners].map(async (listener) => listener.emptied?.(() => undefined)));
  expect(restored).toEqual([key]);
});
