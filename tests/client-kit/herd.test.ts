/**
 * Many kit clients whose gateway is restarted. `KIT_CLIENTS=1000 npx vitest run --project memory tests/client-kit/herd.test.ts` has more
 * of them, and prints how their attempts were spread.
 */
import { expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { send } from "../support/chatting.ts";
import { texts, until } from "./kit.ts";
import { startWorld } from "./world.ts";

const [, bob] = DEMO_USERS;

const SUITE_CLIENTS = 60;
const CLIENTS = Number(process.env["KIT_CLIENTS"] ?? SUITE_CLIENTS);

/** The first attempt is due within a second: so many parts of it are looked at. */
const SLICES = 10;
const SLICE_MS = 1000 / SLICES;

test("clients of a restarted gateway return spread over a second, and miss nothing", { timeout: 300_000 }, async () => {
  await using world = await startWorld();
  const clients = Array.from({ length: CLIENTS }, () => world.open());
  const rooms = clients.map((client) => client.room(world.chatId));
  await Promise.all(clients.map((client) => until(client.connection, ({ status }) => status === "live", 120_000)));
  const shown = rooms.map((room) => texts(room));
  // When each client means to try again: the machine may be slow, the plan is not.
  const plans = clients.map(async ({ connection }) => {
    const { retryAt = 0 } = await until(connection, (state) => state.retryAt !== undefined, 120_000);
    return retryAt;
  });
  const planned = world.restart(async () => {
    world.api.data.addMessage({ chatId: world.chatId, senderId: bob.id, content: "meanwhile" });
    await Promise.all(plans);
  });
  const dueAt = await Promise.all(plans);
  await planned;
  await send(world.connect("bob-token"), world.chatId, "afterwards");
  await Promise.all(rooms.map((room) => until(room.messages, () => texts(room).at(-1) === "afterwards", 120_000)));
  expect(rooms.map((room) => texts(room))).toEqual(shown.map((before) => [...before, "meanwhile", "afterwards"]));

  const counts = new Map<number, number>();
  for (const at of dueAt) counts.set(Math.floor(at / SLICE_MS), (counts.get(Math.floor(at / SLICE_MS)) ?? 0) + 1);
  const most = Math.max(...counts.values());
  if (CLIENTS !== SUITE_CLIENTS)
    process.stdout.write(`${CLIENTS} clients, at most ${most} due within ${SLICE_MS} ms\n`);
  // Full jitter gives each slice its share. Four times as many as that do not meet by chance.
  expect(most).toBeLessThanOrEqual((4 * CLIENTS) / SLICES);
});
