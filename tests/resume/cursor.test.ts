/** Cursors, positions, and the queue of an iterating reader: cases that a whole gateway does not reach. */
import { randomUUID } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteBudget } from "../../src/byte-budget.ts";
import { earlier, isPosition, justBefore, parsePosition, positionAt } from "../../src/bus/position.ts";
import {
  Cursors,
  isCreatedAfter,
  MAX_SEEN,
  PUBLICATION_MARGIN_MS,
  type CursorPosition,
} from "../../src/chat/cursor.ts";
import type { MessageCreated } from "../../src/chat/events/message-created.ts";
import { HadMessages } from "../../src/chat/had-messages.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import type { Message } from "../../src/chat/model.ts";
import { GatewayError } from "../../src/errors.ts";
import { EventQueue } from "../../src/fanout/event-queue.ts";

const at = "2026-01-31T09:30:00.000Z";

function message(fields: Partial<Message> = {}): Message {
  const sender = { id: "u1", name: "Anna" };
  return {
    id: "m1",
    chatId: "c1",
    sender,
    content: "hello",
    createdAt: at,
    readAt: null,
    clientMessageId: null,
    ...fields,
  };
}

function created(fields: Partial<Message> = {}): MessageCreated {
  const of = message(fields);
  return { type: "message.created", chatId: of.chatId, message: of };
}

const position = fc.tuple(fc.nat(2 ** 31), fc.nat(10 ** 6)).map(([ms, sequence]) => positionAt(ms, sequence));

const cursors = new Cursors(Buffer.alloc(32, "key"));

const reparsed = (fields: Partial<Message>): CursorPosition => cursors.parse(cursors.of(message(fields)), "after");

function refusalOf(text: string, reader = cursors): unknown {
  try {
    reader.parse(text, "before");
    return undefined;
  } catch (error) {
    return error instanceof GatewayError ? error.code : error;
  }
}

describe("a cursor", () => {
  test("can be parsed again, whatever the ids are, and is safe in a URL", () => {
    const arbitrary = fc.record({
      id: fc.string({ unit: "grapheme" }),
      chatId: fc.string({ unit: "grapheme" }),
      createdAt: fc
        .date({ noInvalidDate: true, min: new Date("0000-01-01"), max: new Date("9999-12-31") })
        .map((date) => date.toISOString()),
      where: fc.oneof(
        fc.record({ position }),
        fc.record({
          seen: fc
            .array(fc.record({ id: fc.string(), chatId: fc.string() }), { minLength: 1, maxLength: MAX_SEEN })
            .map((names) => names.map((name) => ({ ...name, createdAt: at }))),
          lacksSince: fc.constant("0000-01-01T00:00:00.000Z"),
        }),
        fc.constant({}),
      ),
    });
    fc.assert(
      fc.property(arbitrary, ({ where, ...fields }) => {
        expect(cursors.of(message({ ...fields, ...where }))).toMatch(/^[\w-]+$/);
        const parsed = reparsed({ ...fields, ...where });
        expect(parsed).toMatchObject({ createdAt: fields.createdAt, position: undefined, ...pickPosition(where) });
        expect([parsed.isOfChat(fields.chatId), parsed.isOf(fields)]).toEqual([true, true]);
        expect([parsed.isOfChat(`${fields.chatId}.`), parsed.isOf({ ...fields, id: `${fields.id}.` })]).toEqual([
          false,
          false,
        ]);
        expect(parsed.isOf({ ...fields, chatId: `${fields.chatId}.` })).toBe(false);
        const seen = "seen" in where ? where.seen : [];
        expect(seen.every((name) => parsed.hasSeen(name))).toBe(true);
      }),
    );
  });

  test("has at most 60 characters, whatever the ids are, with up to five names of the last seconds", () => {
    const ids = Array.from({ length: 6 }, () => randomUUID());
    const [id = "", ...others] = ids;
    const seen = others.map((other) => message({ id: other }));
    const lacksSince = new Date(Date.parse(at) - PUBLICATION_MARGIN_MS).toISOString();
    const lengths = [
      cursors.of(message({ id: "x".repeat(500), chatId: ids.join(), position: positionAt(Date.parse(at) + 31, 4) })),
      cursors.of(message({ id, position: positionAt(Date.parse(at) + 10 ** 10, 10 ** 12 - 1) })),
      cursors.of(message({ id })),
      cursors.of(message({ id, seen, lacksSince })),
    ].map(({ length }) => length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(60);
  });

  test("names the last messages, where they are too many", () => {
    const seen = Array.from({ length: MAX_SEEN + 10 }, (_, n) => message({ id: `m${n + 2}` }));
    const place = reparsed({ seen });
    expect(seen.filter((name) => place.hasSeen(name))).toEqual(seen.slice(10));
  });

  test("hashes a message once, however many cursors name it", () => {
    const reads: string[] = [];
    const name = {
      chatId: "c1",
      createdAt: at,
      get id(): string {
        reads.push("m2");
        return "m2";
      },
    };
    const places = ["m3", "m4", "m5"].map((id) => reparsed({ id, seen: [name] }));
    expect(reads).toEqual(["m2"]);
    expect(places.map((place) => place.hasSeen(message({ id: "m2" })))).toEqual([true, true, true]);
  });

  test("does not take a message for one of another chat, whose ids are those of a chat and of a message", () => {
    const place = reparsed({ seen: [message({ chatId: "1", id: "2" })] });
    const names = [message({ chatId: "1", id: "2" }), message({ chatId: "2", id: "1" }), message({ id: "2" })];
    expect(names.map((name) => place.hasSeen(name))).toEqual([true, false, false]);
  });

  test("of the form that named messages of its instant by id is still read", () => {
    // "m1" of chat "c1", and "m0" before it.
    const former = "A4CnmraCZ9D2McrKDfLJ5CI-0kcKK2IPqDL5";
    const place = cursors.parse(former, "after");
    expect([place.createdAt, place.lacksSince, place.isOf(message())]).toEqual([at, at, true]);
    expect(["m0", "m2"].map((id) => place.hasSeen(message({ id })))).toEqual([true, false]);
  });

  test("with a position in the log names no messages", () => {
    const where = positionAt(1, 2);
    const place = reparsed({ position: where, seen: [message({ id: "m0" })] });
    expect(place.position).toBe(where);
    expect(place.hasSeen(message({ id: "m0" }))).toBe(false);
  });

  test("that was changed anywhere is not read", () => {
    const cursor = Buffer.from(cursors.of(message({ position: positionAt(1, 2) })), "base64url");
    const changed = [...cursor.keys()].map((index) => {
      const bytes = Buffer.from(cursor);
      bytes[index] = (bytes[index] ?? 0) ^ 1;
      return bytes.toString("base64url");
    });
    // The first byte tells of two forms, which the signature tells apart.
    expect(new Set(changed.map((text) => refusalOf(text)))).toEqual(new Set(["CURSOR_EXPIRED"]));
    expect(refusalOf(cursor.subarray(0, -1).toString("base64url"))).toBe("CURSOR_EXPIRED");
  });

  test("of another key is not read, of a former key of the instance it is", () => {
    const instance = new Cursors(Buffer.alloc(32, "own"));
    const own = instance.of(message());
    instance.use(Buffer.alloc(32, "key"));
    expect([own, cursors.of(message())].map((text) => refusalOf(text, instance))).toEqual([undefined, undefined]);
    expect(instance.of(message())).toBe(cursors.of(message()));
    expect(refusalOf(own)).toBe("CURSOR_EXPIRED");
  });

  test("of the former, unsigned form has expired", () => {
    const former = Buffer.from(JSON.stringify(["1", at, "c1", "m1"])).toString("base64url");
    expect(refusalOf(former)).toBe("CURSOR_EXPIRED");
  });

  test("is no other text, which is BAD_USER_INPUT under the argument's name", () => {
    const garbage = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString("base64url")),
      fc.json().map((json) => Buffer.from(json).toString("base64url")),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        expect(["BAD_USER_INPUT", "CURSOR_EXPIRED"]).toContain(refusalOf(text));
      }),
    );
    expect(() => cursors.parse("not a cursor", "before")).toThrow(
      expect.objectContaining({ code: "BAD_USER_INPUT", argument: "before" }),
    );
  });
});

function pickPosition(where: object): object {
  return "position" in where ? { position: where.position } : {};
}

describe("what is newer than a cursor", () => {
  test("is what was created later, or at its instant and not seen", () => {
    const place = reparsed({ id: "m2", seen: [message()] });
    const isNewer = (id: string, createdAt: string): boolean => isCreatedAfter(message({ id, createdAt }), place);
    expect(["m0", "m1", "m2", "m3"].filter((id) => isNewer(id, at))).toEqual(["m0", "m3"]);
    expect(isNewer("m0", "2026-01-31T09:30:00.001Z")).toBe(true);
    expect(isNewer("m9", "2026-01-31T09:29:59.999Z")).toBe(false);
  });

  test("of messages that are given in any order is every one behind the cursor's, whatever was still under way", () => {
    const second = (n: number): string => new Date(n * 1000).toISOString();
    const one = fc.record({ chatId: fc.constantFrom("c1", "c2"), second: fc.nat(40), isUnderWay: fc.boolean() });
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 40 }), fc.nat(40), fc.nat(), (written, readAt, index) => {
        const all = written.map((each, n) => {
          const of = message({ id: `m${n}`, chatId: each.chatId, createdAt: second(each.second) });
          // What was created longer ago is in the history.
          return { of, isMissing: each.isUnderWay && each.second >= readAt - PUBLICATION_MARGIN_MS / 1000 };
        });
        const given = all.flatMap(({ of, isMissing }) => (isMissing ? [] : [of]));
        fc.pre(given.length > 0);
        const k = index % given.length;
        const had = new HadMessages(readAt * 1000);
        const [cursor] = given
          .slice(0, k + 1)
          .map((each, n) => {
            const [lacksSince = each.createdAt] = given
              .slice(n)
              .map(({ createdAt }) => createdAt)
              .toSorted();
            return reparsed(had.give(each, lacksSince));
          })
          .toReversed();
        const lacked = all.filter(({ of, isMissing }) => isMissing || given.indexOf(of) > k).map(({ of }) => of);
        expect(cursor && all.map(({ of }) => of).filter((each) => isCreatedAfter(each, cursor))).toEqual(lacked);
      }),
    );
  });

  test("is known at the last instant of the year 9999 too", () => {
    const last = { createdAt: "9999-12-31T23:59:59.999Z" };
    const had = new HadMessages(Date.parse(at));
    const all = Array.from({ length: MAX_SEEN + 2 }, (_, n) => message({ ...last, id: `m${n}` }));
    const [place] = all.map((each) => reparsed(had.give(each, last.createdAt))).toReversed();
    expect(place && all.filter((each) => isCreatedAfter(each, place))).toEqual(all.slice(0, 1));
    expect(place && isCreatedAfter(message({ ...last, id: "later" }), place)).toBe(true);
  });

  test("is all that was created later than the last ones that it can name, where too many are uncertain", () => {
    const readAtMs = Date.parse(at);
    const all = Array.from({ length: 2 * MAX_SEEN }, (_, n) =>
      message({ id: `m${n}`, createdAt: new Date(readAtMs - 2 * MAX_SEEN + n).toISOString() }),
    );
    const had = new HadMessages(readAtMs);
    const given = all.map((each) => had.give(each, each.createdAt));
    const cursor = reparsed(given.at(-1) ?? {});
    expect(all.filter((each) => isCreatedAfter(each, cursor))).toEqual([]);
    expect(cursor.lacksSince).toBe(all.at(-MAX_SEEN - 1)?.createdAt);
  });

  test("is also what its owner has, where too much of that is newer than what is missing", () => {
    const all = Array.from({ length: MAX_SEEN + 2 }, (_, n) =>
      message({ id: `m${n}`, createdAt: new Date(Date.parse(at) + n).toISOString() }),
    );
    const had = new HadMessages(Date.parse(at) + 3_600_000);
    const given = all.map((each) => had.give(each, at));
    const cursor = reparsed(given.at(-1) ?? {});
    const late = message({ id: "late" });
    expect([late, ...all].filter((each) => isCreatedAfter(each, cursor))).toEqual([late, all[0]]);
  });
});

describe("a position", () => {
  test("is a text that sorts as the instants do", () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const [first, second] = [parsePosition(a), parsePosition(b)];
        const order = first.ms - second.ms || first.sequence - second.sequence;
        expect(Math.sign(order)).toBe(a < b ? -1 : a > b ? 1 : 0);
        expect(isPosition(a)).toBe(true);
      }),
    );
  });

  test("has one just before it, with nothing between", () => {
    fc.assert(
      fc.property(position, position, fc.nat(10 ** 6), (a, b, ms) => {
        fc.pre(parsePosition(a).ms > 0);
        expect(isPosition(justBefore(a)) && justBefore(a) < a).toBe(true);
        expect(b > justBefore(a) && b < a).toBe(false);
        expect(earlier(a, ms) <= a && isPosition(earlier(a, ms))).toBe(true);
      }),
    );
  });
});

describe("a queue of events for a reader that iterates", () => {
  function createQueue(capacity = 10) {
    const state = { rooms: 0 };
    const queue = new EventQueue<MessageCreated>(capacity, new ByteBudget(), () => state.rooms++);
    const write = (id: string, where?: string, chatId = "c1"): void => queue.write(created({ id, chatId }), where);
    const next = async (): Promise<string | undefined> => (await queue.next()).value?.message.id;
    return { queue, state, write, next };
  }

  test("delivers in order, to a reader that waits too", async () => {
    const { write, next } = createQueue();
    const first = next();
    for (const id of ["m1", "m2", "m3"]) write(id);
    expect([await first, await next(), await next()]).toEqual(["m1", "m2", "m3"]);
  });

  test("is full at its capacity, and says when it has room again", async () => {
    const { queue, state, write, next } = createQueue(2);
    write("m1");
    expect(queue.isLagging).toBe(false);
    write("m2");
    expect(queue.isLagging).toBe(true);
    await next();
    expect([queue.isLagging, state.rooms]).toEqual([false, 1]);
    await next();
    expect(state.rooms).toBe(1);
  });

  test("delivers what waits before an end without an error", async () => {
    const { queue, write, next } = createQueue();
    write("m1");
    queue.end(undefined);
    expect([await next(), await queue.next()]).toEqual(["m1", { done: true, value: undefined }]);
  });

  test("delivers nothing more after an error, which is thrown once", async () => {
    const { queue, write } = createQueue();
    write("m1");
    queue.end(new Error("over"));
    await expect(queue.next()).rejects.toThrow("over");
    expect(await queue.next()).toEqual({ done: true, value: undefined });
  });

  test("forgets what waits chat by chat", async () => {
    const { queue, write, next } = createQueue();
    for (const [id, chatId] of [
      ["m1", "c1"],
      ["m2", "c2"],
      ["m3", "c1"],
    ] as const) {
      write(id, undefined, chatId);
    }
    queue.forget("c1");
    expect(await next()).toBe("m2");
    expect(queue.positions()).toBeUndefined();
    queue.clear();
    void queue.next();
    expect(queue.positions()).toEqual({});
  });

  test("is at the position before the first event its reader is not done with", async () => {
    const { queue, write, next } = createQueue();
    const [p1, p2, p3] = [positionAt(1, 1), positionAt(2, 0), positionAt(3, 5)];
    write("m1", p2, "c1");
    write("m2", p1, "c2");
    write("m3", p3, "c1");
    const all = { [chatTopic("c1")]: justBefore(p2), [chatTopic("c2")]: justBefore(p1) };
    expect(queue.positions()).toEqual(all);
    await next();
    expect(queue.positions(), "the reader has the first in its hands").toEqual(all);
    await next();
    expect(queue.positions()).toEqual({ [chatTopic("c2")]: justBefore(p1), [chatTopic("c1")]: justBefore(p3) });
    await next();
    void queue.next();
    expect(queue.positions()).toEqual({});
  });

  test("is at no position while it has an event that no log has", async () => {
    const { queue, write, next } = createQueue();
    write("m1", positionAt(1, 1));
    write("m2");
    expect(queue.positions()).toBeUndefined();
    await next();
    await next();
    expect(queue.positions()).toBeUndefined();
  });
});
