/** How users share the connections to the REST API. */
import { expect, test } from "vitest";
import { Deadline } from "../../src/upstream/deadline.ts";
import { FairSemaphore } from "../../src/upstream/semaphore.ts";
import { eventually } from "../support/eventually.ts";
import { CHAT, chatApiAt, PROFILE } from "../support/rest-chat-api.ts";
import { json, startScriptedServer } from "../support/scripted-server.ts";

/** Requests that stay unanswered until they are let go. */
async function startHolding() {
  const held: { readonly url: string; readonly token: string; readonly answer: () => void }[] = [];
  const server = await startScriptedServer(async (response, request) => {
    const { url = "", headers } = request;
    if (url !== "/auth/profile" || headers.authorization?.endsWith("held")) {
      await new Promise<void>((resolve) =>
        held.push({ url, token: headers.authorization?.slice("Bearer ".length) ?? "", answer: resolve }),
      );
    }
    const user = headers.authorization?.slice("Bearer ".length).split("-")[0] ?? "";
    await json(200, { chat: CHAT, user: { ...PROFILE, userId: user } })(response, request);
  });
  return Object.assign(server, { held });
}

test("whoever waits is admitted user by user", async () => {
  const semaphore = new FairSemaphore(2, 2);
  const deadline = (): Deadline => new Deadline(1_000_000);
  const admitted: string[] = [];
  const ask = (user: string, name: string): void => {
    void semaphore.acquire(user, deadline()).then(() => admitted.push(name));
  };
  for (const name of ["a1", "a2", "a3", "a4", "a5"]) ask("a", name);
  for (const name of ["b1", "b2"]) ask("b", name);
  ask("c", "c1");
  await eventually(() => expect(admitted).toEqual(["a1", "a2"]));
  expect([semaphore.inUse, semaphore.waiting]).toEqual([2, 6]);
  const owners = ["a", "a", "b", "c", "a", "b", "a"];
  for (const owner of owners) semaphore.release(owner);
  await eventually(() => expect(admitted).toHaveLength(8));
  expect(admitted.slice(2)).toEqual(["b1", "c1", "a3", "b2", "a4", "a5"]);
});

test("a user who has a share of them waits, though others are free", async () => {
  const semaphore = new FairSemaphore(4, 1);
  expect(semaphore.tryAcquire("a")).toBe(true);
  expect(semaphore.tryAcquire("a")).toBe(false);
  expect(semaphore.tryAcquire("b")).toBe(true);
  const second = semaphore.acquire("a", new Deadline(1_000_000));
  semaphore.release("a");
  expect(await second).toBe(true);
});

test("whoever gives up takes nobody's turn", async () => {
  const semaphore = new FairSemaphore(1, 1);
  await semaphore.acquire("a", new Deadline(1_000_000));
  expect(await semaphore.acquire("b", new Deadline(1))).toBe(false);
  const next = semaphore.acquire("c", new Deadline(1_000_000));
  semaphore.release("a");
  expect(await next).toBe(true);
  semaphore.release("c");
  expect([semaphore.inUse, semaphore.waiting]).toEqual([0, 0]);
});

test("one user with many tokens takes no more than a share of the connections", async () => {
  await using server = await startHolding();
  await using api = chatApiAt(server.url, { connections: 16 });
  const tokens = Array.from({ length: 20 }, (_, index) => `flooder-${index}`);
  await Promise.all([...tokens, "control-1"].map((token) => api.profile(token)));
  const flood = tokens.map((token, index) => api.chat(token, `c${index}`));
  await eventually(() => expect(server.held).toHaveLength(2));
  const control = api.chat("control-1", "c1");
  await eventually(() => expect(server.held.at(-1)?.token).toBe("control-1"));
  expect(server.held).toHaveLength(3);
  expect(api.status).toMatchObject({ inFlight: 3, waiting: 18 });
  server.held.at(-1)?.answer();
  await control;
  for (let answered = 0; answered < 21; answered++) {
    await eventually(() => expect(server.held.length).toBeGreaterThan(answered));
    server.held[answered]?.answer();
  }
  await Promise.all(flood);
});

test("questions whose a token is go on while every other connection is taken, and the reverse", async () => {
  await using server = await startHolding();
  await using api = chatApiAt(server.url, { connections: 4 });
  const users = ["u1", "u2", "u3", "u4"];
  const reads = users.map((user) => api.chat(`${user}-1`, "c1"));
  await eventually(() => expect(server.held).toHaveLength(4));
  expect(await api.profile("u5-1")).toMatchObject({ userId: "u5" });
  for (const { answer } of server.held.splice(0)) answer();
  await Promise.all(reads);
  const logins = users.map((user) => api.profile(`${user}-held`));
  await eventually(() => expect(server.held).toHaveLength(1));
  const read = api.chat("u5-1", "c1");
  await eventually(() => expect(server.held.at(-1)?.url).toBe("/chats/c1"));
  server.held.pop()?.answer();
  await read;
  for (let answered = 0; answered < 4; answered++) {
    await eventually(() => expect(server.held.length).toBeGreaterThan(answered));
    server.held[answered]?.answer();
  }
  await Promise.all(logins);
});
