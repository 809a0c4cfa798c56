/** Three processes are one gateway: whoever says something is never where it is heard. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, ResultErrors } from "../support/client.ts";
import { tell } from "../support/events.ts";
import {
  ChatDocument,
  MarkReadDocument,
  MeDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  SetTypingDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { History } from "../support/history.ts";
import { startInstances, type Instances } from "../support/instances.ts";
import { gather, nextPresence, nextTyping } from "./scene.ts";

/** No test but that of the limit sends so many. */
const ALLOWED = 30;

let instances: Instances;

beforeAll(async () => {
  instances = await startInstances({
    environment: { RATE_LIMIT_MESSAGES: `${ALLOWED}/300s`, TYPING_TIMEOUT: "60000" },
  });
});
afterAll(() => instances[Symbol.asyncDispose]());

test("messages sent on three instances at once arrive everywhere once, in one order", async () => {
  const { ann, ben, cleo, chatId } = gather(instances);
  const users = [ann, ben, cleo];
  await using history = new History();
  for (const [index, { wsUrl }] of instances.all.entries()) {
    await history.listen(`listener ${index}`, wsUrl, users[index]?.token ?? "", [chatId]);
  }
  await history.listen("through the balancer", instances.wsUrl, ann.token, [chatId]);
  const talkers = instances.all.map(({ wsUrl }, index) =>
    history.talker(`talker ${index}`, wsUrl, users[(index + 1) % 3]?.token ?? "", chatId),
  );
  await Promise.all(talkers.map((talker) => talker.talkUntil(Promise.resolve(), 25)));
  await history.complete();
  expect(history.verdict()).toEqual([]);
  expect(history.said).toHaveLength(75);
});

test("a receipt made on one instance arrives on another", async () => {
  const { ann, ben, chatId } = gather(instances);
  const [one, two] = instances.all;
  await using reader = connect(two.wsUrl, ben.token);
  await using sender = connect(one.wsUrl, ann.token);
  await using receipts = sender.subscribe(ReadReceiptDocument);
  const { sendMessage } = await sender.run(SendMessageDocument, { chatId, content: "read me" });
  const { markRead } = await reader.run(MarkReadDocument, { chatId, messageId: sendMessage.id });
  expect((await receipts.next()).readReceipt).toEqual(markRead);
});

test("typing on one instance shows on another, to later listeners too, and stops there", async () => {
  const { ann, ben, cleo, chatId } = gather(instances);
  const [one, two, three] = instances.all;
  await using typist = connect(one.wsUrl, ann.token);
  await using early = connect(two.wsUrl, ben.token);
  await using seen = early.subscribe(TypingChangedDocument);
  await early.run(MeDocument);
  await typist.run(SetTypingDocument, { chatId, isTyping: true });
  expect(await nextTyping(seen)).toBe("Ann types");
  await using late = connect(three.wsUrl, cleo.token);
  await using present = late.subscribe(TypingChangedDocument);
  expect(await nextTyping(present)).toBe("Ann types");
  await using device = connect(two.wsUrl, ann.token);
  await device.run(SendMessageDocument, { chatId, content: "sent from another device, on another instance" });
  expect(await nextTyping(seen)).toBe("Ann stops");
  expect(await nextTyping(present)).toBe("Ann stops");
});

test("users online on another instance come first; devices on two do not flicker", async () => {
  const { ann, ben, cleo, chatId } = gather(instances);
  const [one, two, three] = instances.all;
  const first = connect(one.wsUrl, ann.token);
  await first.acknowledged;
  await using watcher = connect(three.wsUrl, cleo.token);
  await using seen = watcher.subscribe(PresenceChangedDocument);
  expect(await nextPresence(seen)).toBe("Ann online");
  await using second = connect(two.wsUrl, ann.token);
  await second.run(MeDocument);
  await first[Symbol.asyncDispose]();
  await using again = connect(three.wsUrl, ann.token);
  await again.run(MeDocument);
  await second[Symbol.asyncDispose]();
  const barrier = connect(one.wsUrl, ben.token);
  await barrier.acknowledged;
  expect(await nextPresence(seen)).toBe("Ben online");
  // Later than Ann's graces would have ended.
  await barrier[Symbol.asyncDispose]();
  expect(await nextPresence(seen)).toBe("Ben offline");
  await again[Symbol.asyncDispose]();
  expect(await nextPresence(seen)).toBe("Ann offline");
  const { chat } = await watcher.run(ChatDocument, { id: chatId });
  expect(chat.presence.map(({ user, online }) => [user.name, online])).toEqual([
    ["Ann", false],
    ["Ben", false],
  ]);
});

test("a send that is repeated on other instances is one message", async () => {
  const { ann, ben, chatId } = gather(instances);
  const [one, two, three] = instances.all;
  await using listener = connect(three.wsUrl, ben.token);
  await using heard = listener.subscribe(MessageAddedDocument);
  await listener.run(MeDocument);
  const senders = instances.all.map(({ wsUrl }) => connect(wsUrl, ann.token));
  await using stack = new AsyncDisposableStack();
  for (const sender of senders) stack.use(sender);
  const once = { chatId, content: "at the same time", clientMessageId: "together" };
  const answers = await Promise.all(senders.map((sender) => sender.run(SendMessageDocument, once)));
  const ids = new Set(answers.map(({ sendMessage }) => sendMessage.id));
  expect(ids.size).toBe(1);
  const repeated = { chatId, content: "one after the other", clientMessageId: "in-turn" };
  await using first = connect(one.wsUrl, ann.token);
  const sent = await first.run(SendMessageDocument, repeated);
  await using second = connect(two.wsUrl, ann.token);
  expect(await second.run(SendMessageDocument, repeated)).toEqual(sent);
  await second.run(SendMessageDocument, { chatId, content: "barrier" });
  const contents = [await heard.next(), await heard.next(), await heard.next()].map(
    (data) => data.messageAdded.content,
  );
  expect(contents).toEqual([once.content, repeated.content, "barrier"]);
});

test("a sign-out told to one instance ends the user's sessions on the others", async () => {
  const { ann, ben, chatId } = gather(instances);
  const [one, two, three] = instances.all;
  const devices = [connect(two.wsUrl, ann.token), connect(three.wsUrl, ann.token)];
  await Promise.all(devices.map(({ acknowledged }) => acknowledged));
  await using control = connect(two.wsUrl, ben.token);
  await using heard = control.subscribe(MessageAddedDocument);
  await control.run(MeDocument);
  await tell(one, { type: "user.signed_out", data: { userId: ann.id } });
  for (const { closed } of devices) expect(await closed).toMatchObject({ code: 4403 });
  await using sender = connect(three.wsUrl, ben.token);
  await sender.run(SendMessageDocument, { chatId, content: "Ben is still here" });
  expect((await heard.next()).messageAdded.content).toBe("Ben is still here");
});

test("a change of membership on one instance takes effect on the others, both ways", async () => {
  const { ann, ben, cleo, chatId } = gather(instances);
  const [one, two, three] = instances.all;
  const { id: other } = instances.api.data.createChat({ participants: [ann.id, ben.id] });
  await using added = connect(two.wsUrl, cleo.token);
  await using toAll = added.subscribe(MessageAddedDocument);
  await using removed = connect(three.wsUrl, ben.token);
  await using toOne = removed.subscribe(MessageAddedDocument, { chatId: other });
  await Promise.all([added.run(MeDocument), removed.run(MeDocument)]);
  instances.api.data.addMember(other, cleo.id);
  instances.api.data.removeMember(other, ben.id);
  const members = [ann, cleo];
  const at = new Date().toISOString();
  const chat = {
    id: other,
    participants: members.map(({ id }) => id),
    participantNames: members.map(({ name }) => name),
    createdAt: at,
    updatedAt: at,
  };
  await tell(one, { type: "chat.updated", data: { chat } });
  expect(await toOne.ended).toMatchObject([{ extensions: { code: "NOT_PARTICIPANT" } }]);
  await using sender = connect(one.wsUrl, ann.token);
  await sender.run(SendMessageDocument, { chatId: other, content: "for Cleo" });
  await sender.run(SendMessageDocument, { chatId, content: "for all three" });
  // Of two chats, which have no order between them.
  const heard = [await toAll.next(), await toAll.next()].map(({ messageAdded }) => messageAdded.content);
  expect(heard.toSorted()).toEqual(["for Cleo", "for all three"]);
});

test("what a user may send is counted over all instances", async () => {
  const { ann, ben, chatId } = gather(instances);
  await using stack = new AsyncDisposableStack();
  const senders = instances.all.map(({ wsUrl }) => stack.use(connect(wsUrl, ann.token)));
  const sends = senders.flatMap((sender) =>
    Array.from({ length: ALLOWED / 3 + 2 }, (_, index) =>
      sender.run(SendMessageDocument, { chatId, content: String(index) }),
    ),
  );
  const refused = (await Promise.allSettled(sends)).filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(6);
  for (const sender of senders) {
    const error = await sender.run(SendMessageDocument, { chatId, content: "no" }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ResultErrors);
    expect((error as ResultErrors).code).toBe("RATE_LIMITED");
  }
  await using other = connect(instances.all[0].wsUrl, ben.token);
  const { sendMessage } = await other.run(SendMessageDocument, { chatId, content: "somebody else may" });
  expect(sendMessage.content).toBe("somebody else may");
});
