import { once } from "node:events";
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { ChatsDocument, PresenceChangedDocument } from "../support/generated/graphql.ts";
import { openAcknowledged } from "../support/raw-socket.ts";

test("a socket that does not answer pings is dropped, and its user goes offline; one that answers stays", async () => {
  await using gateway = await startDiscreetGateway({ HEARTBEAT_INTERVAL: "250", PRESENCE_GRACE: "0" });
  const [alice, bob] = gateway.api.users;
  await using control = connect(gateway.wsUrl, alice?.token);
  await using presence = control.subscribe(PresenceChangedDocument);
  await control.run(ChatsDocument);
  await using deaf = await openAcknowledged(gateway.wsUrl, bob?.token ?? "", { autoPong: false });
  expect((await presence.next()).presenceChanged).toMatchObject({ user: { id: bob?.id }, online: true });
  await using answering = await openAcknowledged(gateway.wsUrl, alice?.token);
  // No closing handshake: whoever does not answer pings does not answer that either.
  expect(await deaf.closed).toMatchObject({ code: 1006 });
  expect((await presence.next()).presenceChanged).toMatchObject({ user: { id: bob?.id }, online: false });
  for (let pings = 0; pings < 3; pings++) await once(answering.socket, "ping");
  answering.send({ type: "ping" });
  expect(await answering.next()).toEqual({ type: "pong" });
  expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
});

test("a ping of the protocol is answered with its payload, and a pong with nothing", async () => {
  await using gateway = await startDiscreetGateway();
  await using raw = await openAcknowledged(gateway.wsUrl, gateway.api.users[0]?.token);
  raw.send({ type: "ping", payload: { at: 1 } }, { type: "pong" }, { type: "ping" });
  expect(await raw.next()).toEqual({ type: "pong", payload: { at: 1 } });
  expect(await raw.next()).toEqual({ type: "pong" });
});
