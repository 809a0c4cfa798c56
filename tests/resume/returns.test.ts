/** What a returning client finds: too much, other members, receipts, the present state. */
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { chatOf } from "../sessions/scene.ts";
import { createScene, OF_TEAM, send, sendAtOnce } from "../support/resume-scene.ts";
import { connect } from "../support/client.ts";
import { tell } from "../support/events.ts";
import {
  MarkReadDocument,
  SendMessageDocument,
  PresenceChangedDocument,
  SetTypingDocument,
} from "../support/generated/graphql.ts";
import { RECEIPTS, visit } from "../support/returning-client.ts";
import { numbered } from "../support/transcript.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;

describe("more than can be given", () => {
  test("over REPLAY_LIMIT: CURSOR_EXPIRED, not silence", async () => {
    await using scene = await createScene({ REPLAY_LIMIT: "2" });
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.drop();
    await send(writer, ["a1", "a2", "a3"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    expect(await after.over()).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
  });

  test("what the log has lost the history has, and no receipt is lost with it", async () => {
    await using scene = await createScene({ REPLAY_LIMIT: "5000" });
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1", OF_TEAM);
    await first.follow("2", { query: RECEIPTS });
    await first.drop();
    const { id: messageId } = (await writer.run(SendMessageDocument, { chatId: team, content: "a0" })).sendMessage;
    await using reader = connect(gateway.wsUrl, carol.token);
    await reader.run(MarkReadDocument, { chatId: team, messageId });
    const contents = numbered("a", 1, 1100);
    await sendAtOnce(writer, contents);
    await using second = await visit(gateway.wsUrl, alice.token);
    const after = await second.follow("1", OF_TEAM);
    await after.count(1101);
    expect(after.all.toSorted()).toEqual(["a0", ...contents].toSorted());
    const receipts = await second.follow("2", { query: RECEIPTS });
    await receipts.has(messageId);
    expect(receipts.all).toEqual([messageId]);
  });
});

describe("membership", () => {
  test("somebody removed while away gets nothing of that chat, and is told where it was of that chat alone", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1");
    await first.follow("2", OF_TEAM);
    await first.drop();
    await send(writer, ["a1"]);
    gateway.api.data.removeMember(team, alice.id);
    await tell(gateway, { type: "chat.updated", data: { chat: chatOf(team, [bob, carol]) } });
    await send(writer, ["a2"]);
    await send(writer, ["b1"], shop);
    await using second = await visit(gateway.wsUrl, alice.token);
    const all = await second.follow("1");
    await all.has("b1");
    expect(all.all).toEqual(["b1"]);
    const ofTeam = await second.follow("2", OF_TEAM);
    expect(await ofTeam.over()).toMatchObject([{ extensions: { code: "NOT_PARTICIPANT" } }]);
  });

  test("somebody added while away gets what was written since", async () => {
    await using scene = await createScene();
    const { gateway, writer } = scene;
    await using first = await visit(gateway.wsUrl, alice.token);
    await first.follow("1");
    await first.drop();
    gateway.api.data.addMember(pair, alice.id);
    await tell(gateway, { type: "chat.updated", data: { chat: chatOf(pair, [alice, bob, carol]) } });
    await send(writer, ["c1"], pair);
    await send(writer, ["a1"]);
    await using second = await visit(gateway.wsUrl, alice.token);
    const all = await second.follow("1");
    await all.has("c1", "a1");
    expect(all.all).toEqual(["c1", "a1"]);
  });
});

test("receipts are resumed under the same rules", async () => {
  await using scene = await createScene();
  const { gateway, writer } = scene;
  const toRead = numbered("r", 1, 3).map((content) =>
    gateway.api.data.addMessage({ chatId: team, senderId: alice.id, content }),
  );
  const read = async (index: number): Promise<string> => {
    const messageId = toRead[index]?.id ?? "";
    await writer.run(MarkReadDocument, { chatId: team, messageId });
    return messageId;
  };
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1", { query: RECEIPTS });
  await first.drop();
  const missed = [await read(0), await read(1)];
  await using second = await visit(gateway.wsUrl, alice.token);
  const after = await second.follow("1", { query: RECEIPTS });
  const live = await read(2);
  await after.has(live);
  expect(after.all).toEqual([...missed, live]);
});

test("typing and presence begin with the present state after a return", async () => {
  await using scene = await createScene({ TYPING_TIMEOUT: "600000", PRESENCE_GRACE: "0" });
  const { gateway, writer } = scene;
  const typing = { query: "subscription { typingChanged { user { name } isTyping } }" };
  const presence = { query: "subscription { presenceChanged { user { name } online } }" };
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1", typing);
  await first.follow("2", presence);
  await first.drop();
  await writer.run(SetTypingDocument, { chatId: team, isTyping: true });
  await using seen = writer.subscribe(PresenceChangedDocument);
  await using another = connect(gateway.wsUrl, carol.token);
  await another.acknowledged;
  // Announced before the return: what comes live then may come before the present state of others.
  while ((await seen.next()).presenceChanged.user.id !== carol.id);
  await using second = await visit(gateway.wsUrl, alice.token);
  const typists = await second.follow("1", typing);
  await typists.count(1);
  expect(typists.all.map(dataOf)).toEqual([{ typingChanged: { user: { name: bob.name }, isTyping: true } }]);
  const online = await second.follow("2", presence);
  await online.count(2);
  expect(online.all.map(dataOf)).toEqual([
    { presenceChanged: { user: { name: bob.name }, online: true } },
    { presenceChanged: { user: { name: carol.name }, online: true } },
  ]);
});

function dataOf(payload: string): unknown {
  return (JSON.parse(payload) as { data: unknown }).data;
}
