/** The judge of the histories in this folder is judged by histories of which everybody can see what is wrong. */
import { expect, test } from "vitest";
import { contestedIn, faultsOf, orderFaults, type Heard, type Said } from "../support/verdict.ts";

const CHAT = "chat";

function said(content: string, from = 0, to = from): Said {
  return { id: content, chatId: CHAT, content, from, to };
}

function heard(contents: string, connection = 1): Heard[] {
  return contents.split(", ").map((content) => ({ id: content, chatId: CHAT, content, connection, at: 0 }));
}

test("what was said and not heard is lost", () => {
  expect(faultsOf(heard("A 1, A 3"), [said("A 1"), said("A 2"), said("A 3")])).toEqual({ lost: ["A 2"], twice: [] });
});

test("what comes twice on one connection is twice; once more on the next one is allowed", () => {
  const expected = [said("A 1"), said("A 2")];
  expect(faultsOf(heard("A 1, A 2, A 1"), expected).twice).toEqual(["A 1"]);
  expect(faultsOf([...heard("A 1"), ...heard("A 1, A 2", 2)], expected)).toEqual({ lost: [], twice: [] });
  expect(faultsOf([...heard("A 1"), ...heard("A 1, A 1", 2)], expected).twice).toEqual(["A 1"]);
});

test("a sender's messages in another order than sent are out of order, contested or not", () => {
  expect(orderFaults(heard("A 2, B 1, A 1"), [], new Set(["A 1", "A 2"]))).toEqual(["A 1 after A 2"]);
});

test("two listeners have one order, but for what was under way in an outage", () => {
  const other = { name: "other", heard: heard("B 1, A 1, A 2") };
  expect(orderFaults(heard("A 1, B 1, A 2"), [other], new Set())).toEqual([
    "in another order than other: A 1 where it has B 1",
  ]);
  const all = [said("A 1", 1, 2), said("B 1", 3, 12), said("A 2", 20)];
  expect(orderFaults(heard("A 1, B 1, A 2"), [other], contestedIn(all, [{ from: 10, to: 15 }]))).toEqual([]);
  expect(orderFaults(heard("A 1, B 1, A 2"), [other], contestedIn(all, [{ from: 13, to: 15 }]))).toHaveLength(1);
});
