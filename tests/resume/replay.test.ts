/** The past of a chat for one subscription: out of the log, and out of the history where the log does not reach. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { BusUnavailable, type EventLog, type LogEntry } from "../../src/bus/bus.ts";
import { Counts } from "../../src/measures.ts";
import { CatchUp } from "../../src/bus/catch-up.ts";
import { earlier, positionAt, type Position } from "../../src/bus/position.ts";
import type { CursorPosition } from "../../src/chat/cursor.ts";
import { Directory } from "../../src/chat/directory.ts";
import { idOf } from "../../src/chat/events/registry.ts";
import type { BusEvent, DurableChatEvent, EventOf } from "../../src/chat/events/registry.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import type { Selected } from "../../src/chat/history.ts";
import type { HistoryQuestion } from "../../src/chat/history-selection.ts";
import type { Message } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import { GatewayError } from "../../src/errors.ts";
import { FairTurns } from "../../src/fair-turns.ts";
import { inOrder, withLogged } from "../../src/recovery/history-and-log.ts";
import {
  BEFORE_THE_LOG,
  ReaderPast,
  type PastEvent,
  type ReplaySource,
  type StartOutcome,
} from "../../src/recovery/past.ts";
import { positionOfCursor } from "../support/cursors.ts";

const TOPIC = chatTopic("chat");

/** "Ann 3": created three seconds after the beginning. */
function message(content: string, chatId = "chat"): Message {
  const [name = "", second = ""] = content.split(" ");
  return {
    id: content,
    chatId,
    sender: { id: name, name },
    content,
    createdAt: new Date(Number(second) * 1000).toISOString(),
    readAt: null,
    clientMessageId: null,
  };
}

function created(content: string): EventOf<"message.created"> {
  return { type: "message.created", chatId: "chat", message: message(content) };
}

function receipt(id: string): EventOf<"message.read"> {
  const read = { chatId: "chat", messageId: id, reader: { id: "ann", name: "Ann" }, readAt: new Date(0).toISOString() };
  return { type: "message.read", id, chatId: "chat", receipt: read };
}

/** A second, as a position. */
function at(second: number): Position {
  return positionAt(second * 1000, 0);
}

/** "Ann 3@5": published five seconds after the beginning. */
function published(text: string): LogEntry<BusEvent>[] {
  return text.split(", ").flatMap((entry) => {
    const [content = "", second = ""] = entry.split("@");
    return entry === "" ? [] : [{ event: created(content), position: at(Number(second)) }];
  });
}

function contents(entries: readonly { readonly event: DurableChatEvent }[]): string {
  return entries.map(({ event }) => (event.type === "message.created" ? event.message.id : event.id)).join(", ");
}

interface World {
  /** Published before what the log has, which has lost it; as {@link published}. */
  readonly lost?: string;
  /** How many seconds late something was published after every position. */
  readonly delay?: number;
  /** As {@link published}. */
  readonly log?: string | readonly LogEntry<BusEvent>[];
  /** The log is complete after that second. */
  readonly since?: number;
  /** Up to that second this process has received everything. */
  readonly present?: number;
  readonly history?: string;
  readonly limit?: number;
  readonly type?: DurableChatEvent["type"];
}

function createScene({
  lost = "",
  delay = 0,
  log = "",
  since = 0,
  present = 1000,
  history,
  limit = 100,
  type = "message.created",
}: World = {}) {
  const entries = typeof log === "string" ? published(log) : log;
  const asked: string[] = [];
  const eventLog: EventLog<BusEvent> = {
    position: () => ({ base: at(present), topics: {} }),
    read: async (_topic, after) => (after < at(since) ? undefined : entries.filter(({ position }) => position > after)),
    tail: async () => ({ since: at(since), entries }),
    delayAfter: async () => delay * 1000,
    positionsOf: async (_topic, ids) =>
      ids.map(
        (id) =>
          [...published(lost), ...entries].find(({ event }) => event.type === "message.created" && idOf(event) === id)
            ?.position,
      ),
  };
  const select = async (
    _session: unknown,
    chatId: string,
    { isWanted, limit: max, hadSince = "" }: HistoryQuestion,
  ): Promise<Selected> => {
    asked.push(chatId);
    if (history === undefined) throw new Error("the history was asked");
    const all = history.split(", ").map((content) => message(content));
    const messages = all.filter(isWanted);
    if (messages.length > max) throw new GatewayError("CURSOR_EXPIRED");
    return { messages, had: all.filter((each) => !isWanted(each) && each.createdAt >= hadSince) };
  };
  const user = { id: "me", name: "Mary", email: "", role: null };
  const session = new Session({ token: "t", tokenHash: "h", user }, new Directory());
  const counts = { replayed: new Counts<ReplaySource>(), starts: new Counts<StartOutcome>() };
  const past = new ReaderPast(
    { log: eventLog, history: { select }, turns: new FairTurns(), limit, ...counts },
    session,
    type,
  );
  return { past, asked, eventLog };
}

/** What is delivered to a reader that is behind in the chat. */
async function delivered(past: ReaderPast, after: Position): Promise<string> {
  const events: PastEvent[] = [];
  const catchUp = new CatchUp<PastEvent>({
    isFull: () => false,
    read: (topic, from, seen) => past.read(topic, from, seen),
    deliver: (entry) => events.push(entry),
    onCaughtUp: () => past.caughtUp(),
  });
  catchUp.start(TOPIC, after);
  await catchUp.run();
  return contents(events);
}

function cursorAt(content: string, position?: Position, seen: readonly string[] = []): CursorPosition {
  const { id, chatId, createdAt } = message(content);
  return positionOfCursor({ id, chatId, createdAt, position, seen: seen.map((each) => message(each)) });
}

describe("messages of the history and of the log together", () => {
  function merged(history: string, log: string): string {
    const messages = history.split(", ").map((content) => message(content));
    const all = withLogged(messages, published(log), () => true);
    return inOrder(all.map((found) => ({ ...found, position: found.place })))
      .map((found) => found.message.content)
      .join(", ");
  }

  test("are in the order of the log where it has them, else of creation", () => {
    expect(merged("Ann 1, Ben 2, Ann 3, Ben 4, Cleo 5", "Ben 2@2, Ann 1@2.5, Ben 4@4")).toBe(
      "Ben 2, Ann 1, Ann 3, Ben 4, Cleo 5",
    );
  });

  test("have what is not published yet behind what was created in the same instant and is", () => {
    expect(merged("Ann 1, Ann 2, Ben 2", "Ann 1@1, Ann 2@2")).toBe("Ann 1, Ann 2, Ben 2");
  });

  test("contain what the log has and the pages of the history did not", () => {
    expect(merged("Ann 1, Ann 3", "Ann 1@1, Ben 2@2, Ann 3@3")).toBe("Ann 1, Ben 2, Ann 3");
  });

  test("are delivered in the order of the log", async () => {
    const { past } = createScene({ history: "Ann 1, Ben 2, Ann 3", log: "Ben 2@20, Ann 1@21", since: 10 });
    const order = (await delivered(past, at(5))).split(", ");
    expect(order.filter((content) => content !== "Ann 3")).toEqual(["Ben 2", "Ann 1"]);
  });

  test("are delivered in the order of each sender where the log does not have all yet", async () => {
    // Redis has lost its memory: Ann's instance has published everything again already, and Ben's not all.
    const history = "Ann 1, Ben 2, Ann 3, Ben 4, Ann 5, Ben 6, Cleo 7";
    const { past } = createScene({ history, log: "Ann 1@20, Ann 3@21, Ann 5@22, Ben 2@23", since: 10 });
    const order = (await delivered(past, at(5))).split(", ");
    const of = (name: string): readonly string[] => order.filter((content) => content.startsWith(name));
    expect(of("Ann")).toEqual(["Ann 1", "Ann 3", "Ann 5"]);
    expect(of("Ben")).toEqual(["Ben 2", "Ben 4", "Ben 6"]);
    expect(order).toHaveLength(7);
  });
});

describe("where the log is complete after the position", () => {
  test("it is read alone, with its positions", async () => {
    const { past, asked } = createScene({ log: "Ann 1@10, Ben 2@11, Ann 3@12" });
    const { entries, readTo } = await past.read(TOPIC, at(10), undefined);
    expect(entries.map(({ position, order }) => [position, order])).toEqual([
      [at(11), at(11)],
      [at(12), at(12)],
    ]);
    expect([contents(entries), readTo, asked]).toEqual(["Ben 2, Ann 3", at(12), []]);
  });

  test("events of other types are left out, and read all the same", async () => {
    const log = [...published("Ann 1@10"), { event: receipt("r1"), position: at(11) }];
    const ofMessages = await createScene({ log }).past.read(TOPIC, at(9), undefined);
    expect([contents(ofMessages.entries), ofMessages.readTo]).toEqual(["Ann 1", at(11)]);
    const ofReceipts = await createScene({ log, type: "message.read" }).past.read(TOPIC, at(9), undefined);
    expect([contents(ofReceipts.entries), ofReceipts.readTo]).toEqual(["r1", at(11)]);
  });

  test("the reader stays where it is if there is nothing", async () => {
    const { past } = createScene({ log: "Ann 1@10" });
    expect(await past.read(TOPIC, at(10), undefined)).toEqual({ entries: [], readTo: at(10) });
  });

  test("a log that cannot be read now is not taken for an empty one", async () => {
    const { past, eventLog, asked } = createScene({ history: "Ann 1" });
    eventLog.read = () => Promise.reject(new BusUnavailable());
    await expect(past.read(TOPIC, at(10), undefined)).rejects.toBeInstanceOf(BusUnavailable);
    expect(asked).toEqual([]);
  });
});

describe("where the log is not complete after the position", () => {
  test("messages come from the history, at no position of the log", async () => {
    const { past } = createScene({ history: "Ann 100, Ben 101", log: "Ben 101@120", since: 110 });
    const { entries, readTo } = await past.read(TOPIC, at(100), undefined);
    expect(entries.map(({ position }) => position)).toEqual([undefined, undefined]);
    expect([contents(entries), readTo]).toEqual(["Ann 100, Ben 101", at(1000)]);
  });

  test("the history is read if the log lacks an event that was live", async () => {
    const { past, asked } = createScene({ history: "Ann 100, Ben 101", log: "Ann 100@100", present: 99 });
    const { entries, readTo } = await past.read(TOPIC, at(99), at(105));
    expect([contents(entries), readTo, asked]).toEqual(["Ann 100, Ben 101", at(105), ["chat"]]);
  });

  test("messages include what was created up to ten seconds before the position", async () => {
    const { past } = createScene({ history: "Ann 89, Ann 90, Ann 100", since: 110 });
    expect(contents((await past.read(TOPIC, at(100), undefined)).entries)).toBe("Ann 90, Ann 100");
  });

  test("messages that the log has lost are in its order too, however late one of them was published", async () => {
    const { past } = createScene({
      history: "Ann 101, Ben 102, Ann 103, Ben 104, Cleo 105",
      lost: "Ann 101@101, Ann 103@103, Ben 104@104",
      log: "Cleo 105@105, Ben 102@120",
      since: 104,
    });
    const { entries } = await past.read(TOPIC, at(100), undefined);
    expect(contents(entries)).toBe("Ann 101, Ann 103, Ben 104, Cleo 105, Ben 102");
  });

  test("messages include what was published after the position, however long before it was created", async () => {
    const { past } = createScene({
      history: "Ann 60, Ben 70, Ann 100",
      lost: "Ann 60@99, Ben 70@101",
      since: 110,
      delay: 39,
    });
    expect(contents((await past.read(TOPIC, at(100), undefined)).entries)).toBe("Ben 70, Ann 100");
    // This process may receive it late.
    expect(past.hasDelivered(created("Ann 60"))).toBe(true);
  });

  test("receipts are gone: CURSOR_EXPIRED", async () => {
    const { past, asked } = createScene({ since: 110, type: "message.read" });
    await expect(past.read(TOPIC, at(100), undefined)).rejects.toMatchObject({ code: "CURSOR_EXPIRED" });
    expect(asked).toEqual([]);
  });

  test("the reader is told what the history is refused with", async () => {
    const { past } = createScene({ history: "Ann 100, Ann 101, Ann 102", since: 110, limit: 2 });
    await expect(past.read(TOPIC, at(100), undefined)).rejects.toMatchObject({ code: "CURSOR_EXPIRED" });
  });
});

describe("after a cursor", () => {
  test("of the log the log is read from its position", async () => {
    const { past } = createScene({ log: "Ann 5@10, Ben 2@11, Ann 6@12" });
    past.begin(cursorAt("Ann 5", at(10)));
    expect(contents((await past.read(TOPIC, at(10), undefined)).entries)).toBe("Ben 2, Ann 6");
  });

  test("of the history the log is read, but for what was created before it", async () => {
    const { past, asked } = createScene({ log: "Ann 1@10, Ben 2@11, Ann 3@12, Cleo 3@13" });
    past.begin(cursorAt("Ben 2"));
    expect(contents((await past.read(TOPIC, earlier(at(10), 5000), undefined)).entries)).toBe("Ann 3, Cleo 3");
    expect(asked).toEqual([]);
  });

  test("whose position is not known the history is read, without what its owner has seen", async () => {
    const { past } = createScene({ history: "Ann 1, Ann 2, Ben 2, Cleo 2, Ann 3", log: "Ann 1@10" });
    past.begin(cursorAt("Ann 2", undefined, ["Cleo 2"]));
    expect(contents((await past.read(TOPIC, BEFORE_THE_LOG, undefined)).entries)).toBe("Ben 2, Ann 3");
  });

  test("its own message and those that its owner has seen are known", () => {
    const { past } = createScene();
    past.begin(cursorAt("Ann 2", undefined, ["Cleo 2"]));
    expect(["Ann 2", "Cleo 2", "Ben 2"].map((content) => past.hasDelivered(created(content)))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("it does not count any more once the reader has caught up", async () => {
    const { past } = createScene({ log: "Ann 1@10, Ben 2@11, Ann 3@12" });
    past.begin(cursorAt("Ben 2"));
    past.caughtUp();
    expect(contents((await past.read(TOPIC, at(9), undefined)).entries)).toBe("Ann 1, Ben 2, Ann 3");
  });
});

describe("a reader that continues gets the limit at most", () => {
  const LOG = "Ann 1@10, Ben 2@11, Ann 3@12";

  test("over all chats together", async () => {
    const { past } = createScene({ log: LOG, limit: 5 });
    past.begin(undefined);
    await past.read(chatTopic("one"), at(9), undefined);
    await expect(past.read(chatTopic("two"), at(9), undefined)).rejects.toMatchObject({ code: "CURSOR_EXPIRED" });
  });

  test("and exactly the limit", async () => {
    const { past } = createScene({ log: LOG, limit: 6 });
    past.begin(undefined);
    await past.read(chatTopic("one"), at(9), undefined);
    expect((await past.read(chatTopic("two"), at(9), undefined)).entries).toHaveLength(3);
  });

  test("where what was published while it caught up does not count", async () => {
    const { past } = createScene({ log: LOG, limit: 2 });
    past.begin(undefined);
    await past.read(TOPIC, at(10), undefined);
    expect((await past.read(TOPIC, at(9), undefined)).entries).toHaveLength(3);
  });

  test("and is not limited any more once it has caught up", async () => {
    const { past } = createScene({ log: LOG, limit: 1 });
    past.begin(undefined);
    past.caughtUp();
    expect((await past.read(TOPIC, at(9), undefined)).entries).toHaveLength(3);
  });
});

describe("what the reader was given from the history", () => {
  const OF_HISTORY = { topic: TOPIC, position: undefined, order: at(100) };

  afterEach(() => void vi.useRealTimers());

  test("is known for ten minutes, should it be published late", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { past } = createScene({ history: "Ann 100", since: 110 });
    await past.read(TOPIC, at(100), undefined);
    // Read, and not delivered yet.
    expect(past.hasDelivered(created("Ann 100"))).toBe(false);
    past.give(created("Ann 100"), OF_HISTORY);
    vi.advanceTimersByTime(600_000);
    expect([past.hasDelivered(created("Ann 100")), past.hasDelivered(created("Ben 101"))]).toEqual([true, false]);
    vi.advanceTimersByTime(1);
    expect(past.hasDelivered(created("Ann 100"))).toBe(false);
  });

  test("is not delivered again where the history is read again", async () => {
    const { past } = createScene({ history: "Ann 100, Ben 101", since: 110 });
    const { entries } = await past.read(TOPIC, at(100), undefined);
    expect(entries).toHaveLength(2);
    past.give(created("Ann 100"), OF_HISTORY);
    const again = (await past.read(TOPIC, at(100), undefined)).entries;
    expect(again.map(({ event }) => event)).toEqual([entries[1]?.event]);
  });

  test("has cursors that name what the reader had, where the history is read again later", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 110_000 });
    const { past, eventLog } = createScene({ history: "Ann 104, Ann 105, Ben 106", since: 1000 });
    past.begin(cursorAt("Ann 105"));
    vi.spyOn(eventLog, "tail").mockRejectedValueOnce(new BusUnavailable());
    await expect(past.read(TOPIC, BEFORE_THE_LOG, undefined)).rejects.toBeInstanceOf(BusUnavailable);
    vi.setSystemTime(130_000);
    const [entry] = (await past.read(TOPIC, BEFORE_THE_LOG, undefined)).entries;
    const given = entry && past.give(created("Ben 106"), entry).message;
    expect(given?.lacksSince).toBe(new Date(100_000).toISOString());
    expect(given?.seen?.map(({ id }) => id)).toEqual(["Ann 104", "Ann 105"]);
  });

  test("is not known where it came from the log, whose positions tell", async () => {
    const { past } = createScene({ log: "Ann 1@10" });
    await past.read(TOPIC, at(9), undefined);
    expect(past.hasDelivered(created("Ann 1"))).toBe(false);
  });
});
