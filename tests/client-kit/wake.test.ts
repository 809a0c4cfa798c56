/** What a kit client makes of what a browser says about its network. */
import { expect, test } from "vitest";
import { send } from "../support/chatting.ts";
import { live, record, showing, until, WindowEvents } from "./kit.ts";
import { startWorld } from "./world.ts";

test("a connection that works is kept where the browser takes the device for offline", async () => {
  using page = new WindowEvents();
  await using world = await startWorld();
  const client = world.open();
  const room = client.room(world.chatId);
  await live(client);
  const seen = record(client.connection, ({ status }) => status);
  page.onLine = false;
  page.dispatch("visibilitychange");
  page.dispatch("pageshow");
  await send(world.connect("bob-token"), world.chatId, "still there");
  await showing(room, "still there");
  expect([seen, world.relay.accepted]).toEqual([["live"], 1]);
});

test("a page that is opened without a network says so, and connects when there is one", async () => {
  using page = new WindowEvents();
  await using world = await startWorld();
  world.relay.freeze();
  page.onLine = false;
  const client = world.open();
  expect(client.connection.get().status).toBe("offline");
  page.dispatch("visibilitychange");
  expect(client.connection.get().status).toBe("offline");
  page.onLine = true;
  page.dispatch("online");
  expect(client.connection.get().status).toBe("connecting");
  world.relay.thaw();
  await live(client);
});

test("a connection that works is used where the page was opened as if offline", async () => {
  using page = new WindowEvents();
  await using world = await startWorld();
  page.onLine = false;
  await live(world.open());
  expect(world.relay.accepted).toBe(1);
});

test("a lost network is shown at once", async () => {
  using page = new WindowEvents();
  await using world = await startWorld();
  const client = world.open();
  await live(client);
  world.relay.freeze();
  page.onLine = false;
  page.dispatch("offline");
  expect(client.connection.get().status).toBe("offline");
  world.relay.thaw();
  page.onLine = true;
  page.dispatch("online");
  await until(client.connection, ({ status }) => status === "live");
});
