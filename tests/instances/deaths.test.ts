/** Instances end, with a word and without, while everybody talks: nobody misses anything, and nobody stays a ghost. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { connect } from "../support/client.ts";
import {
  ChatsChangedDocument,
  MeDocument,
  PresenceChangedDocument,
  SendMessageDocument,
  SetTypingDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { History, STUBBORN } from "../support/history.ts";
import { startInstances, type Instances } from "../support/instances.ts";
import { gather, nextPresence, nextTyping } from "./scene.ts";

// Whole processes start, and more of them than this machine may have cores.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let instances: Instances;
let history: History;

beforeAll(async () => {
  instances = await startInstances({ environment: { TYPING_TIMEOUT: "10000", HTTP_API_IDEMPOTENT: "true" } });
});
beforeEach(() => {
  history = new History();
});
afterEach(async () => {
  await history[Symbol.asyncDispose]();
  for (const instance of instances.all) if (instance.process.isOver) await instance.restart();
  await instances.answerReady(200);
});
afterAll(() => instances[Symbol.asyncDispose]());

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`under traffic ${signal} of one instance after the other loses nothing, and touches nobody elsewhere`, async () => {
    const { ann, ben, cleo, chatId } = gather(instances);
    const control = instances.api.data.createChat({ participants: [ben.id, cleo.id] }).id;
    const [one, two, three] = instances.all;
    for (const user of [ann, ben, cleo]) {
      await history.listen(`${user.name}, through the balancer`, instances.wsUrl, user.token, [chatId]);
    }
    const stays = await history.listen("who stays", three.wsUrl, cleo.token, [chatId, control]);
    const talkers = [ann, ben].map(({ name, token }) => history.talker(name, instances.wsUrl, token, chatId));
    const undisturbed = history.talker("control", three.wsUrl, ben.token, control);
    const faults = (async () => {
      for (const instance of [one, two]) {
        await Promise.all(talkers.map((talker) => talker.talkUntil(Promise.resolve(), 20)));
        const stopped = instance.stop(signal);
        await Promise.all(talkers.map((talker) => talker.talkUntil(stopped, 20)));
        await instance.restart();
        await instance.answersReady(200);
      }
    })();
    await undisturbed.talkUntil(faults, 20);
    await faults;
    await history.complete();
    expect(history.verdict()).toEqual([]);
    expect(stays.connections).toBe(1);
  });
}

test("clients and lists of a killed instance have missed nothing once the balancer finds another", async () => {
  const { ann, ben, cleo, chatId } = gather(instances);
  const [one, two, three] = instances.all;
  await history.listen("stays", three.wsUrl, ben.token, [chatId]);
  const back = await Promise.all(
    [one, two].map(({ wsUrl }) => {
      const places = [wsUrl];
      return history.listen("comes back", () => places.shift() ?? instances.wsUrl, ann.token, [chatId]);
    }),
  );
  const home = [one.wsUrl];
  await using lister = connect("", ann.token, { ...STUBBORN, url: () => home.shift() ?? instances.wsUrl });
  const list = lister.subscribe(ChatsChangedDocument);
  expect((await list.next()).chatsChanged).toMatchObject({
    isSnapshot: true,
    changed: [{ id: chatId, unreadCount: 0 }],
  });
  const talker = history.talker("Cleo", three.wsUrl, cleo.token, chatId);
  await talker.talkUntil(Promise.resolve(), 5);
  const stopped = Promise.all([one.stop("SIGKILL"), two.stop("SIGKILL")]);
  await talker.talkUntil(stopped, 30);
  await history.complete();
  expect(history.verdict()).toEqual([]);
  let [unread, snapshots]: [number | undefined, number] = [0, 0];
  while (unread !== history.said.length) {
    const { isSnapshot, changed } = (await list.next()).chatsChanged;
    snapshots += Number(isSnapshot);
    unread = changed.find(({ id }) => id === chatId)?.unreadCount;
  }
  expect(snapshots).toBe(1);
  for (const { connections } of back) expect(connections).toBe(2);
});

test("users of a killed instance go offline once; those with another device stay", async () => {
  const { ann, ben, cleo } = gather(instances);
  const [one, two, three] = instances.all;
  await using stack = new AsyncDisposableStack();
  const watchers = [two, three].map(({ wsUrl }) => stack.use(connect(wsUrl, cleo.token)));
  const seen = watchers.map((watcher) => watcher.subscribe(PresenceChangedDocument));
  await Promise.all(watchers.map((watcher) => watcher.run(MeDocument)));
  const bens = stack.use(connect(two.wsUrl, ben.token));
  await bens.acknowledged;
  for (const received of seen) expect(await nextPresence(received)).toBe("Ben online");
  const doomed = [connect(one.wsUrl, ann.token), connect(one.wsUrl, ben.token)];
  for (const client of doomed) stack.use(client);
  await Promise.all(doomed.map((client) => client.run(MeDocument)));
  for (const received of seen) expect(await nextPresence(received)).toBe("Ann online");
  await one.stop("SIGKILL");
  for (const received of seen) expect(await nextPresence(received)).toBe("Ann offline");
  // Ben's other device was buried with Ann's only one. His last one goes now, and says so.
  await bens[Symbol.asyncDispose]();
  for (const received of seen) expect(await nextPresence(received)).toBe("Ben offline");
  await using ann2 = connect(three.wsUrl, ann.token);
  await ann2.acknowledged;
  for (const received of seen) expect(await nextPresence(received)).toBe("Ann online");
  for (const { waiting } of seen) expect(waiting).toEqual([]);
});

test("typing on a killed instance stops, for early and late listeners alike", async () => {
  const { ann, ben, cleo, chatId } = gather(instances);
  const [one, two, three] = instances.all;
  await using late = connect(three.wsUrl, cleo.token);
  await late.acknowledged;
  await using early = connect(two.wsUrl, ben.token);
  await using seen = early.subscribe(TypingChangedDocument);
  await early.run(MeDocument);
  await using typist = connect(one.wsUrl, ann.token);
  await typist.run(SetTypingDocument, { chatId, isTyping: true });
  expect(await nextTyping(seen)).toBe("Ann types");
  await using present = late.subscribe(TypingChangedDocument);
  expect(await nextTyping(present)).toBe("Ann types");
  await one.stop("SIGKILL");
  expect(await nextTyping(seen)).toBe("Ann stops");
  expect(await nextTyping(present)).toBe("Ann stops");
});

test("a send that its instance did not live to answer is made by another, once", async () => {
  const { ann, ben, cleo, chatId } = gather(instances);
  const [one, two] = instances.all;
  const heard = await history.listen("Ben", two.wsUrl, ben.token, [chatId]);
  const { faults } = instances.api;
  using gate = faults.hold({ method: "POST", times: 1, when: "processed" });
  const variables = { chatId, content: "Ann 1", clientMessageId: "doomed" };
  await using doomed = connect(one.wsUrl, ann.token);
  doomed.run(SendMessageDocument, variables).catch(() => undefined);
  await gate.arrived(1);
  await one.stop("SIGKILL");
  await using retry = connect(two.wsUrl, ann.token);
  const { sendMessage } = await retry.run(SendMessageDocument, variables);
  await retry.run(SendMessageDocument, { chatId, content: "Ann 2" });
  await history.talker("Cleo", two.wsUrl, cleo.token, chatId).say();
  await history.complete();
  expect(heard.heard.map(({ content }) => content)).toEqual(["Ann 1", "Ann 2", "Cleo 1"]);
  expect(heard.heard[0]?.id).toBe(sendMessage.id);
  expect(history.verdict()).toEqual([]);
});
