/** The judge of the histories in this folder, given histories of which everybody can see what is wrong. */
import { expect, test } from "vitest";
import { judge, type Heard, type Received, type Said } from "../support/verdict.ts";

const CHAT = "chat";

function said(...contents: string[]): Said[] {
  return contents.map((content) => ({ id: content, chatId: CHAT, content, from: 0, to: 0 }));
}

function heard(contents: string, connection = 1): Heard[] {
  return contents.split(", ").map((content) => ({ id: content, chatId: CHAT, content, connection }));
}

function listener(name: string, ...heardOf: Heard[][]): Received {
  return { name, chatIds: [CHAT], since: 0, heard: heardOf.flat(), end: undefined };
}

test("what was answered and not received is lost", () => {
  const verdict = judge(said("A 1", "A 2", "A 3"), [listener("x", heard("A 1, A 3"))]);
  expect(verdict).toMatchObject({ expected: 3, received: 2, lost: 1, doubled: 0, faults: ["x: 1 lost: A 2"] });
});

test("what was sent before a client listened is not lost", () => {
  const late = { ...listener("x"), since: 5 };
  expect(judge(said("A 1"), [late])).toMatchObject({ expected: 0, lost: 0, faults: [] });
});

test("what comes twice on one connection is doubled; on a later connection it is repeated", () => {
  const all = said("A 1", "A 2");
  expect(judge(all, [listener("x", heard("A 1, A 2, A 1"))])).toMatchObject({ doubled: 1, repeated: 0 });
  const repeated = judge(all, [listener("x", heard("A 1"), heard("A 1, A 2", 2))]);
  expect(repeated).toMatchObject({ doubled: 0, repeated: 1, faults: [] });
  expect(judge(all, [listener("x", heard("A 1"), heard("A 1, A 1, A 2", 2))])).toMatchObject({ doubled: 1 });
});

test("a sender's messages in another order than sent are out of order", () => {
  expect(judge([], [listener("x", heard("A 2, B 1, A 1"))]).faults).toEqual(["x: A 1 after A 2"]);
});

test("any two listeners have one order", () => {
  const first = listener("first", heard("A 1, B 1, C 1"));
  const second = listener("second", heard("A 1, C 1"));
  expect(judge([], [first, second])).toMatchObject({ disordered: 0, faults: [] });
  const third = listener("third", heard("C 1, B 1"));
  expect(judge([], [first, second, third])).toMatchObject({
    disordered: 1,
    faults: ["third: in another order than first: B 1 after C 1"],
  });
});

test("a connection on which the order differs is found, although each message came in order the first time", () => {
  const steady = listener("steady", heard("A 1, B 1"));
  const back = listener("back", heard("A 1, B 1"), heard("B 1, A 1", 2));
  expect(judge([], [steady, back])).toMatchObject({ disordered: 2 });
});

test("what arrives on a later connection after something newer is out of order", () => {
  const steady = listener("steady", heard("A 1, B 1"));
  const back = listener("back", heard("B 1"), heard("A 1", 2));
  expect(judge([], [steady, back]).disordered).toBe(1);
});

test("a subscription that ends is a fault", () => {
  expect(judge([], [{ ...listener("x"), end: "completed" }])).toMatchObject({
    ended: 1,
    faults: ["x: ended: completed"],
  });
});
