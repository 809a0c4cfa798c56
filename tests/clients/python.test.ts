/** The example client in Python, where the guide does not go. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { startWorld } from "../client-kit/world.ts";
import { scrape } from "../support/metrics.ts";

const [alice, bob] = DEMO_USERS;

test("each line is sent, whatever is between, and what came to an empty chat while there was no gateway is printed", async () => {
  await using world = await startWorld({ ADMIN_PORT: "0" });
  const { id } = world.api.data.createChat({ participants: [alice.id, bob.id] });
  const url = world.relay.url.replace(/^ws/, "http");
  const child = spawn("/usr/bin/python3", ["examples/python/chat.py", url, alice.token, id]);
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => (await lines.next()).value;
    const subscriptions = async (): Promise<unknown> =>
      (await scrape(world.gateway.adminUrl ?? "")).value("chat_gateway_subscriptions", { field: "messageAdded" });
    await expect.poll(subscriptions).toBe(1);
    await world.restart(() => {
      world.api.data.addMessage({ chatId: id, senderId: bob.id, content: "meanwhile" });
    });
    expect(await next()).toBe("Bob Brown: meanwhile");
    child.stdin.write("one\n\ntwo\n");
    expect([await next(), await next()]).toEqual(["Alice Adams: one", "Alice Adams: two"]);
  } finally {
    child.kill();
  }
  await once(child, "close");
});
