/** What adapters are given for what real APIs differ in. */
import { describe, expect, test } from "vitest";
import { HELPERS } from "../../src/upstream/adapter/helpers.ts";
import type { ApiMessage, ApiPage } from "../../src/upstream/adapter/adapter.ts";
import { continuationOf } from "../../src/upstream/adapter/shapes.ts";
import { normaliseInstant } from "../../src/upstream/instant.ts";

const { unwrap, id, instant, members, sender, readState, byOffset, byPageNumber, byOldestId, justSent, mapAll } =
  HELPERS;

const messageAt = (n: number, more: Partial<ApiMessage> = {}): ApiMessage => ({
  id: `m${n}`,
  chatId: "c1",
  senderId: "u1",
  content: `message ${n}`,
  createdAt: new Date(n * 1000).toISOString(),
  ...more,
});

test.each([
  [{ data: { items: [1] } }, ["items"], [1]],
  [{ items: [1] }, ["items"], [1]],
  [{ payload: { data: [1] } }, [], [1]],
  [[1], ["items"], [1]],
  [{ result: { user: { id: 1 } } }, ["user"], { id: 1 }],
  [null, ["items"], null],
])("unwrap(%j, …%j)", (body, names, expected) => {
  expect(unwrap(body, ...names)).toEqual(expected);
});

test.each([
  [7, "7"],
  ["x", "x"],
  [{ _id: "y" }, "y"],
  [{ _id: { $oid: "z" } }, "z"],
  [{ user_id: 3 }, "3"],
  [null, ""],
  [{}, ""],
])("id(%j) is %j", (value, expected) => {
  expect(id(value)).toBe(expected);
});

describe("instant", () => {
  test.each([
    [1_767_225_600, "2026-01-01T00:00:00.000Z"],
    ["1767225600", "2026-01-01T00:00:00.000Z"],
    [1_767_225_600_123, "2026-01-01T00:00:00.123Z"],
    [1_767_225_600_123_456, "2026-01-01T00:00:00.123456Z"],
    ["1767225600123456789", "2026-01-01T00:00:00.123456789Z"],
    ["1767225600.123456", "2026-01-01T00:00:00.123456Z"],
    [1_767_225_600.5, "2026-01-01T00:00:00.500Z"],
    [0, "1970-01-01T00:00:00.000Z"],
    [-1.5, "1969-12-31T23:59:58.500Z"],
    [{ _seconds: 1_767_225_600, _nanoseconds: 1_234_000 }, "2026-01-01T00:00:00.001234Z"],
    [{ seconds: "1767225600", nanos: 500_000_000 }, "2026-01-01T00:00:00.500Z"],
    [{ $date: { $numberLong: "1767225600123" } }, "2026-01-01T00:00:00.123Z"],
    ["2026-01-01 09:30:00 UTC", "2026-01-01T09:30:00Z"],
    ["2026-01-01 09:30:00.123456+00", "2026-01-01T09:30:00.123456+00:00"],
    ["2026-01-01 09:30:00-05", "2026-01-01T09:30:00-05:00"],
    ["Thu, 01 Jan 2026 09:30:00 GMT", "Thu, 01 Jan 2026 09:30:00 GMT"],
    ["2026-01-01 09:30:00", "2026-01-01T09:30:00Z"],
    ["2026-01-01T09:30:00.123456", "2026-01-01T09:30:00.123456Z"],
    ["2026-01-01T09:30:00+02:00", "2026-01-01T09:30:00+02:00"],
    ["2026-01-01 09:30:00 +0200", "2026-01-01T09:30:00+0200"],
    ["2026-01-01", "2026-01-01T00:00:00Z"],
    [{ $date: "2026-01-01T00:00:00Z" }, "2026-01-01T00:00:00Z"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [new Date(Number.NaN), ""],
    [Number.NaN, ""],
    [1e300, ""],
    [null, ""],
  ])("of %j is %s", (value, expected) => {
    expect(instant(value)).toBe(expected);
    // What is checked is what the helper has made of it.
    expect(normaliseInstant(instant(value), "full") === undefined).toBe(expected === "");
  });

  test("without a zone is in the given one", () => {
    expect(instant("2026-01-01 09:30:00", "+02:00")).toBe("2026-01-01T09:30:00+02:00");
  });
});

test("members are objects, in a user each or not, or ids", () => {
  const list = [{ _id: 1, name: "Ann" }, { user: { id: "2", first_name: "Ben", last_name: "Baker" } }, "3"];
  expect(members(list)).toEqual({ participants: ["1", "2", "3"], participantNames: ["Ann", "Ben Baker", undefined] });
  expect(members(undefined)).toEqual({ participants: [], participantNames: [] });
});

test("a member is known by the user's id, whatever id the membership has, and by the name beside it", () => {
  const list = [
    { id: 71, user: { id: 1 }, name: "Ann" },
    { id: 72, user: 2, name: "Ben" },
    { id: 73, userId: 3, displayName: "", username: "cat" },
    { id: 74, user: null, user_id: 4 },
  ];
  expect(members(list)).toEqual({
    participants: ["1", "2", "3", "4"],
    participantNames: ["Ann", "Ben", "cat", undefined],
  });
});

test("a member who is no more is left out, and one without an id is not", () => {
  expect(members([null, { id: 75, user: null }, { user: {} }]).participants).toEqual([""]);
});

test("a sender is an object or an id", () => {
  expect(sender({ id: 4, displayName: "Cat" })).toEqual({ senderId: "4", senderName: "Cat" });
  expect(sender("4")).toEqual({ senderId: "4", senderName: undefined });
});

test("the read state is of the others, the first of them first", () => {
  const list = [
    { user: { _id: "u3" }, readAt: 1_767_225_700 },
    { userId: "u2", at: "2026-01-01T00:00:00Z" },
    { userId: "u1", at: "2025-01-01T00:00:00Z" },
  ];
  const readAt = "2026-01-01T00:00:00Z";
  expect(readState(list, "u1")).toEqual({
    readAt,
    readBy: [
      { userId: "u2", readAt },
      { userId: "u3", readAt: "2026-01-01T00:01:40.000Z" },
    ],
  });
  expect(readState(["u1", "u2"], "u1", readAt)).toEqual({ readAt, readBy: [{ userId: "u2", readAt }] });
  expect(readState(undefined, "u1")).toEqual({ readAt: undefined, readBy: [] });
  expect(readState([{ id: 76, user: null, readAt }], "u1")).toEqual({ readAt: undefined, readBy: [] });
});

describe("paging", () => {
  const all = Array.from({ length: 7 }, (_, n) => messageAt(n));

  async function everyPage(ask: (next: string | undefined) => Promise<ApiPage>) {
    const ids: string[] = [];
    let next: string | undefined;
    do {
      const page = await ask(next);
      ids.push(...page.messages.map((message) => message.id));
      next = continuationOf(page.next);
    } while (next !== undefined);
    return ids.toSorted();
  }

  const expected = all.map((message) => message.id);

  test.each([2, 3, 7, 10])("by offset reaches everything, %i a page", async (limit) => {
    const ids = await everyPage((next) =>
      byOffset({ limit, next }, async (page) => all.slice(page.offset, page.offset + page.limit)),
    );
    expect(ids).toEqual(expected);
  });

  test.each([1, 3, 7])("by offset reaches everything where the API answers %i at most", async (most) => {
    const ids = await everyPage((next) =>
      byOffset({ limit: 100, next }, async ({ offset }) => all.slice(offset, offset + most)),
    );
    expect(ids).toEqual(expected);
  });

  test.each([2, 3, 7, 10])("by page number reaches everything, %i a page", async (size) => {
    const ids = await everyPage((next) =>
      byPageNumber({ limit: 1, next }, { size }, async ({ page }) => all.slice((page - 1) * size, page * size)),
    );
    expect(ids).toEqual(expected);
  });

  test.each([
    [3, "newest first"],
    [3, "oldest first"],
    [10, "newest first"],
  ])("by the oldest id reaches everything, %i a page with the %s", async (size, order) => {
    const ids = await everyPage((next) =>
      byOldestId({ limit: 1, next }, { size }, async ({ before }) => {
        const end = before === undefined ? all.length : all.findIndex((message) => message.id === before);
        const page = all.slice(Math.max(0, end - size), end);
        return order === "newest first" ? page.toReversed() : page;
      }),
    );
    expect(ids).toEqual(expected);
  });
});

test("what was just sent is the newest of its content and sender", () => {
  const messages = [
    messageAt(1, { content: "hi" }),
    messageAt(3, { content: "hi" }),
    messageAt(4, { content: "hi", senderId: "u2" }),
  ];
  expect(justSent(messages, { content: " hi ", senderId: "u1" }).id).toBe("m3");
  expect(() => justSent(messages, { content: "other", senderId: "u1" })).toThrow("unavailable");
});

test("mapAll keeps the order, a few at once", async () => {
  let [running, most] = [0, 0];
  const double = async (n: number): Promise<number> => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    return 2 * n;
  };
  expect(await mapAll([1, 2, 3, 4, 5], double, 2)).toEqual([2, 4, 6, 8, 10]);
  expect(most).toBe(2);
});
