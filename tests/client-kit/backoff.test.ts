/** How long a kit client waits before it asks again for what the REST API could not give. */
import { expect, onTestFinished, test, vi } from "vitest";
import { until } from "./kit.ts";
import { startWorld } from "./world.ts";

test("a history that the REST API cannot give is asked for after longer and longer waits", async () => {
  await using world = await startWorld({ HTTP_API_RETRIES: "1" });
  world.api.faults.unavailable({ path: `/chats/${world.chatId}/messages`, times: 2 });
  let drawn = 0;
  // Nearly the longest waits; ids still differ.
  vi.spyOn(Math, "random").mockImplementation(() => 1 - ++drawn * 1e-6);
  const timers = vi.spyOn(globalThis, "setTimeout");
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const room = world.open().room(world.chatId);
  await until(room.messages, ({ loading }) => !loading);
  expect(room.messages.get().error).toBeUndefined();
  // Nothing else waits for a part of a millisecond.
  const waits = timers.mock.calls.map(([, ms = 0]) => ms).filter((ms) => !Number.isInteger(ms));
  expect(waits.map(Math.ceil)).toEqual([1000, 2000]);
});
