/** What a position is remembered under, and what an explicit `after` makes of it. */
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { createScene, OF_TEAM, send, sendSeen } from "../support/resume-scene.ts";
import { visit } from "../support/returning-client.ts";

const [alice] = DEMO_USERS;
const { team } = DEMO_CHATS;

const uuid = randomUUID();
const hex = uuid.replaceAll("-", "");

describe("a client that comes back", () => {
  test.each<[what: string, id: string, params: object, isResumed: boolean]>([
    ["a number", "1", {}, false],
    ["a short name", "messages-of-team", {}, true],
    ["fifteen characters", "messages-of-tea", {}, false],
    ["a UUID", uuid, {}, true],
    ["a UUID without hyphens", hex, {}, true],
    ["a UUID in braces", `{${uuid}}`, {}, true],
    ["a UUID as base64url", Buffer.from(hex, "hex").toString("base64url"), {}, true],
    ["a number and a clientId", "1", { clientId: "tablet" }, true],
    ["a number and a clientId of 128 characters", "1", { clientId: "x".repeat(128) }, true],
    ["a number and a clientId of 129 characters", "1", { clientId: "x".repeat(129) }, false],
    ["a number and an empty clientId", "1", { clientId: "" }, false],
    ["a number and a clientId that is no text", "1", { clientId: 7 }, false],
  ])("with %s as its id", async (_what, id, connectionParams, isResumed) => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    const params = { connectionParams: { ...connectionParams } };
    await using first = await visit(gateway.wsUrl, alice.token, params);
    await first.followAs(id, OF_TEAM);
    await first.drop();
    await sendSeen(scene, ["a1"]);
    await using second = await visit(gateway.wsUrl, alice.token, params);
    const after = await second.followAs(id, OF_TEAM);
    await send(writer, ["a2"]);
    await after.has("a2");
    expect(after.all).toEqual(isResumed ? ["a1", "a2"] : ["a2"]);
  });
});

describe("two devices of one user whose ids are both numbers", () => {
  test("do not share a position: what one confirms the other gets when it is back", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    const [phone, tablet] = [{ clientId: "phone" }, { clientId: "tablet" }];
    await using one = await visit(gateway.wsUrl, alice.token, { connectionParams: phone });
    await using other = await visit(gateway.wsUrl, alice.token, { connectionParams: tablet });
    await one.followAs("1", OF_TEAM);
    const there = await other.followAs("1", OF_TEAM);
    await one.drop();
    await send(writer, ["a1"]);
    await there.has("a1");
    await other.confirmed();
    await using again = await visit(gateway.wsUrl, alice.token, { connectionParams: phone });
    const back = await again.followAs("1", OF_TEAM);
    await send(writer, ["a2"]);
    await Promise.all([back, there].map((transcript) => transcript.has("a2")));
    expect([back.all, there.all]).toEqual([
      ["a1", "a2"],
      ["a1", "a2"],
    ]);
  });

  test("without a clientId neither takes anything from the other", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using one = await visit(gateway.wsUrl, alice.token);
    await one.followAs("1", OF_TEAM);
    await one.drop();
    await using other = await visit(gateway.wsUrl, alice.token);
    const there = await other.followAs("1", OF_TEAM);
    await send(writer, ["a1"]);
    await there.has("a1");
    await using again = await visit(gateway.wsUrl, alice.token);
    const back = await again.followAs("1", OF_TEAM);
    await send(writer, ["a2"]);
    await Promise.all([back, there].map((transcript) => transcript.has("a2")));
    expect([back.all, there.all]).toEqual([["a2"], ["a1", "a2"]]);
  });
});

describe("an explicit after", () => {
  const FOLLOWING = `subscription ($chatId: ID, $after: String) {
    messageAdded(chatId: $chatId, after: $after) { content }
  }`;

  function following(after: string | undefined) {
    return { query: FOLLOWING, variables: { chatId: team, after } };
  }

  /** A client that has confirmed a1 and a2, is gone, and has missed a3. Resolves to the cursor of a1. */
  async function leaveBehind(scene: Awaited<ReturnType<typeof createScene>>, after?: string): Promise<string> {
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    const before = await first.follow("1", following(after));
    const { sendMessage } = await writer.run(SendMessageDocument, { chatId: team, content: "a1" });
    await send(writer, ["a2"]);
    await before.has("a2");
    await first.confirmed();
    await first.drop();
    await send(writer, ["a3"]);
    return sendMessage.cursor;
  }

  test("wins over a remembered position", async () => {
    await using scene = await createScene();
    const cursor = await leaveBehind(scene);
    await using second = await visit(scene.gateway.wsUrl, alice.token);
    const after = await second.follow("1", following(cursor));
    await send(scene.writer, ["a4"]);
    await after.has("a4");
    expect(after.all).toEqual(["a2", "a3", "a4"]);
  });

  test("that is left out at the return lets the remembered position count", async () => {
    await using scene = await createScene();
    const { sendMessage } = await scene.writer.run(SendMessageDocument, { chatId: team, content: "a0" });
    await leaveBehind(scene, sendMessage.cursor);
    await using second = await visit(scene.gateway.wsUrl, alice.token);
    const after = await second.follow("1", following(undefined));
    await send(scene.writer, ["a4"]);
    await after.has("a4");
    expect(after.all).toEqual(["a3", "a4"]);
  });

  test("takes the position over from the connection before", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using old = await visit(gateway.wsUrl, alice.token);
    const stale = await old.follow("1", following(undefined));
    const { sendMessage } = await writer.run(SendMessageDocument, { chatId: team, content: "a1" });
    await using current = await visit(gateway.wsUrl, alice.token, { autoPong: false });
    const present = await current.follow("1", following(sendMessage.cursor));
    await send(writer, ["a2"]);
    await Promise.all([stale, present].map((transcript) => transcript.has("a2")));
    // What the old connection says of its end counts no more.
    await old.leave(1000);
    await current.drop();
    await using next = await visit(gateway.wsUrl, alice.token);
    const after = await next.follow("1", following(undefined));
    await after.has("a2");
    expect(after.all.filter((content) => content === "a2")).toEqual(["a2"]);
  });
});
