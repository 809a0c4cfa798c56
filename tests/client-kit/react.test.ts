/** The hooks on a server, where there is neither a client nor an effect. */
import {
  ChatProvider,
  useComposer,
  useConnection,
  useInbox,
  useMessages,
  usePeople,
  type Composer,
} from "graphql-chat-client/react";
import { createElement, StrictMode, type ReactNode } from "react";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { live, showing } from "./kit.ts";
import { startWorld } from "./world.ts";

function Page(): string {
  const { status } = useConnection();
  const { items, loading } = useMessages("a chat");
  const { online } = usePeople("a chat");
  const { send } = useComposer("a chat");
  return JSON.stringify([status, items, loading, online, useInbox(), typeof send]);
}

const EMPTY = JSON.stringify([
  "connecting",
  [],
  true,
  [],
  { chats: [], unreadTotal: 0, loaded: false },
  "function",
]).replaceAll('"', "&quot;");

test("a page rendered on a server shows what there is before a connection", () => {
  expect(renderToString(createElement(ChatProvider, {}, createElement(Page)))).toBe(EMPTY);
});

test("rendering opens nothing, whatever the client knows already", async () => {
  await using world = await startWorld();
  const client = world.open();
  await live(client);
  const page = createElement(StrictMode, {}, createElement(ChatProvider, { client }, createElement(Page)));
  expect(renderToString(page)).toBe(EMPTY);
  // A room that was opened would be behind, since there is no such chat.
  expect(client.connection.get().status).toBe("live");
});

test("what is sent by a component that is not mounted is sent all the same", async () => {
  await using world = await startWorld();
  const client = world.open();
  await live(client);
  const composers: Composer[] = [];
  const Editor = (): ReactNode => {
    composers.push(useComposer(world.chatId));
    return null;
  };
  renderToString(createElement(ChatProvider, { client }, createElement(Editor)));
  const sent = composers[0]?.send("late");
  expect(sent).toMatchObject({ text: "late", mine: true });
  await world.api.faults.requests.arrived(1, { method: "POST" });
  const room = client.room(world.chatId);
  await showing(room, "late");
});
