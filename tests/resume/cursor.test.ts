/** What a cursor says, and what waits for a reader: where a gateway as a whole does not come to. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { earlier, isPosition, justBefore, parsePosition, positionAt } from "../../src/bus/position.ts";
import { compareByCreation, cursorOf, isCreatedAfter, MAX_SEEN, parseCursor } from "../../src/chat/cursor.ts";
import { chatTopic, type DeliveredEvent, type MessageCreated } from "../../src/chat/events.ts";
import type { Message } from "../../src/chat/model.ts";
import { startsOf, WaitingEvents } from "../../src/fanout/waiting.ts";

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

describe("a cursor", () => {
  test("says what it was made of, whatever the ids are, and is safe in a URL", () => {
    const arbitrary = fc.record({
      id: fc.string({ unit: "grapheme" }),
      chatId: fc.string({ unit: "grapheme" }),
      createdAt: fc
        .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
        .map((date) => date.toISOString()),
      where: fc.oneof(
        fc.record({ position }),
        fc.record({ seen: fc.array(fc.string(), { minLength: 1, maxLength: MAX_SEEN }) }),
        fc.constant({}),
      ),
    });
    fc.assert(
      fc.property(arbitrary, ({ where, ...fields }) => {
        const cursor = cursorOf(message({ ...fields, ...where }));
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(parseCursor(cursor, "after")).toEqual({ position: undefined, seen: [], ...fields, ...where });
      }),
    );
  });

  test("names the last of the instant's, where they are too many", () => {
    const seen = Array.from({ length: MAX_SEEN + 10 }, (_, n) => `m${n}`);
    expect(parseCursor(cursorOf(message({ seen })), "after").seen).toEqual(seen.slice(10));
  });

  test("with a place in the log needs no names", () => {
    const where = positionAt(1, 2);
    const place = parseCursor(cursorOf(message({ position: where, seen: ["m0"] })), "after");
    expect(place).toMatchObject({ position: where, seen: [] });
  });

  test("whatever text is given, it is a cursor or BAD_USER_INPUT under the argument's name", () => {
    const garbage = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json().map((json) => Buffer.from(json).toString("base64url")),
      fc
        .array(fc.oneof(fc.constantFrom("1", at, "c1", ""), fc.jsonValue()), { maxLength: 6 })
        .map((fields) => Buffer.from(JSON.stringify(fields)).toString("base64url")),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        let outcome: unknown;
        try {
          outcome = parseCursor(text, "before");
        } catch (error) {
          outcome = error;
        }
        expect(outcome).toSatisfy(
          (value: unknown) =>
            (value instanceof Error && "code" in value && value.code === "BAD_USER_INPUT") ||
            (typeof value === "object" && value !== null && "chatId" in value),
        );
      }),
    );
  });
});

describe("what is newer than a place", () => {
  test("is what was created later, and what it does not know of its own instant", () => {
    const place = parseCursor(cursorOf(message({ id: "m2", seen: ["m1"] })), "after");
    const isNewer = (id: string, createdAt: string): boolean => isCreatedAfter({ id, createdAt }, place);
    expect(["m0", "m1", "m2", "m3"].filter((id) => isNewer(id, at))).toEqual(["m0", "m3"]);
    expect(isNewer("m0", "2026-01-31T09:30:00.001Z")).toBe(true);
    expect(isNewer("m9", "2026-01-31T09:29:59.999Z")).toBe(false);
  });

  test("of messages in order is each that stands behind the place, where the place knows its instant", () => {
    const instants = fc.array(fc.nat(3), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(instants, fc.nat(), (seconds, index) => {
        const all = seconds
          .map((second, n) => message({ id: `m${n}`, createdAt: new Date(second * 1000).toISOString() }))
          .toSorted(compareByCreation);
        const k = index % all.length;
        const seen = all.slice(0, k).flatMap(({ id, createdAt }) => (createdAt === all[k]?.createdAt ? [id] : []));
        const place = parseCursor(cursorOf({ ...message(), ...all[k], seen }), "after");
        expect(all.filter((other) => isCreatedAfter(other, place))).toEqual(all.slice(k + 1));
      }),
    );
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

  test("has one just before it, with nothing between, and earlier ones", () => {
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

describe("what waits for a reader", () => {
  test("waits in order; of one key the latest waits, where it stands in time", () => {
    const waiting = new WaitingEvents();
    for (const [key, id] of [
      ["a", "m1"],
      ["b", "m2"],
      ["a", "m3"],
    ] as const) {
      waiting.put(key, created({ id }), undefined);
    }
    expect(waiting.size).toBe(2);
    expect([waiting.shift(), waiting.shift(), waiting.shift()].map((one) => one && idOf(one.event))).toEqual([
      "m2",
      "m3",
      undefined,
    ]);
  });

  test("is forgotten chat by chat", () => {
    const waiting = new WaitingEvents();
    for (const chatId of ["c1", "c2", "c1"]) waiting.put({ chatId }, created({ chatId }), undefined);
    expect(waiting.forget("c1")).toEqual([{ chatId: "c1" }, { chatId: "c1" }]);
    expect(waiting.values().map(({ event }) => "chatId" in event && event.chatId)).toEqual(["c2"]);
    waiting.clear();
    expect([waiting.size, waiting.values()]).toEqual([0, []]);
  });

  test("begins, in each topic, just before the first that waits", () => {
    const [p1, p2, p3] = [positionAt(1, 1), positionAt(2, 0), positionAt(3, 5)];
    expect(
      startsOf([
        { event: created({ chatId: "c1" }), position: p2 },
        { event: created({ chatId: "c2" }), position: p1 },
        { event: created({ chatId: "c1" }), position: p3 },
      ]),
    ).toEqual({ [chatTopic("c1")]: justBefore(p2), [chatTopic("c2")]: justBefore(p1) });
    expect(startsOf([])).toEqual({});
  });

  test("begins nowhere in the log, where one of them is not in it", () => {
    const waiting = [
      { event: created(), position: positionAt(1, 1) },
      { event: created(), position: undefined },
    ];
    expect(startsOf(waiting)).toBeUndefined();
  });
});

function idOf(event: DeliveredEvent): string | undefined {
  return event.type === "message.created" ? event.message.id : undefined;
}
