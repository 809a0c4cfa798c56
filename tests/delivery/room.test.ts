/** The listeners of one chat, and the typing indicators that somebody has to end. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Directory } from "../../src/chat/directory.ts";
import type { TypingChanged } from "../../src/chat/events/typing-changed.ts";
import { Session } from "../../src/chat/session.ts";
import { Unauthenticated } from "../../src/chat/unauthenticated.ts";
import { Room } from "../../src/fanout/room.ts";
import { Subscribers, type Subscriber } from "../../src/fanout/subscriber.ts";

const EXPIRES_IN_MS = 6000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

function typing(name: string, isTyping = true): TypingChanged {
  const change = { chatId: "chat", user: { id: name, name }, isTyping };
  return { type: "typing.changed", chatId: "chat", change, ...(isTyping && { expiresInMs: EXPIRES_IN_MS }) };
}

function createRoom(): { readonly room: Room; readonly ended: TypingChanged[] } {
  const ended: TypingChanged[] = [];
  const room = new Room(
    "chat",
    async () => async () => undefined,
    (event) => void ended.push(event),
  );
  return { room, ended };
}

describe("a typing indicator", () => {
  test("ends by itself where nobody says anything any more", () => {
    const { room, ended } = createRoom();
    room.follow(typing("ann"));
    vi.advanceTimersByTime(EXPIRES_IN_MS - 1);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ended).toEqual([typing("ann", false)]);
  });

  test("is prolonged by its repetition, and ends once", () => {
    const { room, ended } = createRoom();
    room.follow(typing("ann"));
    vi.advanceTimersByTime(EXPIRES_IN_MS - 1);
    room.follow(typing("ann"));
    vi.advanceTimersByTime(EXPIRES_IN_MS - 1);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(EXPIRES_IN_MS);
    expect(ended).toHaveLength(1);
  });

  test("that was stopped is not ended again", () => {
    const { room, ended } = createRoom();
    room.follow(typing("ann"));
    room.follow(typing("ann", false));
    room.stopTyping("ann");
    expect([ended, vi.getTimerCount()]).toEqual([[], 0]);
  });

  test("ends at once with a message of its typist, and of nobody else", () => {
    const { room, ended } = createRoom();
    room.follow(typing("ann"));
    room.follow(typing("ben"));
    room.stopTyping("cleo");
    room.stopTyping("ann");
    room.stopTyping("ann");
    expect(ended).toEqual([typing("ann", false)]);
    vi.advanceTimersByTime(EXPIRES_IN_MS);
    expect(ended).toEqual([typing("ann", false), typing("ben", false)]);
  });

  test("whose beginning was not received ends too", () => {
    const { room, ended } = createRoom();
    room.followUnknown(typing("ann"));
    vi.advanceTimersByTime(EXPIRES_IN_MS);
    expect(ended).toEqual([typing("ann", false)]);
  });

  test("is not prolonged by a look at who types", () => {
    const { room, ended } = createRoom();
    room.follow(typing("ann"));
    vi.advanceTimersByTime(EXPIRES_IN_MS - 1);
    room.followUnknown(typing("ann"));
    vi.advanceTimersByTime(1);
    expect(ended).toEqual([typing("ann", false)]);
  });

  test("without a lifetime is ended by its typist alone", () => {
    const { room } = createRoom();
    const { expiresInMs: _, ...event } = typing("ann");
    room.follow(event);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is left alone when nobody listens any more", () => {
    const { room, ended } = createRoom();
    room.follow(typing("ann"));
    room.close();
    expect([ended, vi.getTimerCount()]).toEqual([[], 0]);
  });
});

describe("a room", () => {
  const open = (name: string): Session =>
    new Session({ token: name, tokenHash: name, user: { id: name, name, email: "", role: null } }, new Directory());
  const subscriber = (session: Session): Subscriber => ({
    type: "message.created",
    session,
    chatId: "chat",
    deliver() {},
    end() {},
    forget() {},
    joined() {},
    busLost() {},
    busRestored() {},
    refresh: async () => undefined,
  });

  test("is empty without a listener to all chats or to this one", () => {
    const { room } = createRoom();
    expect([room.isEmpty, [...room.sessions()][0]]).toEqual([true, undefined]);
    room.direct.add(subscriber(open("ann")));
    expect(room.isEmpty).toBe(false);
  });

  test("is read with the rights of any session that has not ended", () => {
    const { room } = createRoom();
    const [ann, ben, cleo] = [open("ann"), open("ben"), open("cleo")];
    room.audience.set(ann, new Subscribers());
    for (const session of [ben, cleo]) room.direct.add(subscriber(session));
    expect([...room.sessions()][0]).toBe(ann);
    for (const [session, next] of [
      [ann, ben],
      [ben, cleo],
      [cleo, undefined],
    ] as const) {
      session.end(new Unauthenticated("Signed out"));
      expect([...room.sessions()][0]).toBe(next);
    }
  });
});
