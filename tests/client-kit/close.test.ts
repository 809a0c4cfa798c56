/** A client that is closed does not keep its program alive. */
import { expect, test } from "vitest";
import { startProcess } from "../support/process.ts";
import { startWorld } from "./world.ts";

/** Closes a client while its connection is `live`, or while it waits before the next attempt, and prints what is left of it. */
const PROGRAM = `
import { createChatClient } from "graphql-chat-client";

const [, url, chatId, when] = process.argv;
const client = createChatClient({ url, token: "alice-token" });
client.room(chatId);
const reached = Promise.withResolvers();
client.connection.subscribe(() => {
  const { status, retryAt } = client.connection.get();
  if (when === "live" ? status === "live" : retryAt) reached.resolve();
});
await reached.promise;
await client.close();
const remaining = (kind) => process.getActiveResourcesInfo().filter((name) => name === kind);
do await new Promise(setImmediate);
while (remaining("TCPSocketWrap").length > 0);
console.log(JSON.stringify({ ...client.connection.get(), since: 0, timers: remaining("Timeout") }));
`;

test.each(["live", "waiting"])("a client that is closed while it is %s leaves no timer behind", async (when) => {
  await using world = await startWorld();
  if (when === "waiting") await world.gateway.close();
  await using program = await startProcess({
    cwd: process.cwd(),
    command: [process.execPath, "--input-type=module", "--eval", PROGRAM, world.relay.url, world.chatId, when],
  });
  expect([await program.exited, program.errors]).toEqual([{ code: 0, signal: null }, ""]);
  expect(JSON.parse(program.output)).toEqual({ status: "signed-out", since: 0, timers: [] });
});
