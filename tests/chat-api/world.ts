/** The chats of two people, and the REST APIs of several shapes that show them: each of these is written for what its adapter is for. */
import { json, raw, startScriptedServer, type Answer, type ScriptedServer } from "../support/scripted-server.ts";

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly token: string;
}

export interface StoredMessage {
  readonly id: string;
  readonly chatId: string;
  readonly senderId: string;
  readonly content: string;
  readonly createdAt: Date;
  readonly readBy: Map<string, Date>;
}

export interface StoredChat {
  readonly id: string;
  readonly title: string;
  readonly memberIds: string[];
  readonly messages: StoredMessage[];
}

/** Whole seconds, as the coarsest of the APIs has them. */
const START = Date.UTC(2026, 0, 1);

/** Ids are whole numbers as texts, which every shape can carry. */
export class World {
  readonly ann: Person = { id: "1", name: "Ann Archer", token: "token-of-ann" };
  readonly ben: Person = { id: "2", name: "Ben Baker", token: "token-of-ben" };
  readonly chats: StoredChat[] = [];
  #ids = 100;

  constructor() {
    const shared = this.addChat("Shared", [this.ann, this.ben]);
    for (let n = 0; n < 45; n++) this.addMessage(shared, n % 3 === 0 ? this.ann : this.ben, `message ${n}`);
    this.addChat("Ben's own", [this.ben]);
  }

  get shared(): StoredChat {
    return this.#chat(0);
  }

  /** Ann is not in it. */
  get foreign(): StoredChat {
    return this.#chat(1);
  }

  addChat(title: string, members: readonly Person[]): StoredChat {
    const chat = { id: String(++this.#ids), title, memberIds: members.map(({ id }) => id), messages: [] };
    this.chats.push(chat);
    return chat;
  }

  addMessage(chat: StoredChat, sender: Person, content: string): StoredMessage {
    // Two of each second.
    const createdAt = new Date(START + Math.floor(chat.messages.length / 2) * 1000);
    const message = {
      id: String(++this.#ids),
      chatId: chat.id,
      senderId: sender.id,
      content: content.trim(),
      createdAt,
      readBy: new Map(),
    };
    chat.messages.push(message);
    return message;
  }

  read(message: StoredMessage, readerId: string): void {
    if (message.senderId !== readerId) message.readBy.set(readerId, new Date(START + 86_400_000));
  }

  unread(chat: StoredChat, userId: string): number {
    return chat.messages.filter(({ senderId, readBy }) => senderId !== userId && !readBy.has(userId)).length;
  }

  person(id: string): Person {
    return id === this.ann.id ? this.ann : this.ben;
  }

  holder(authorization: string | undefined): Person | undefined {
    return [this.ann, this.ben].find(({ token }) => authorization === `Bearer ${token}`);
  }

  #chat(index: number): StoredChat {
    const chat = this.chats[index];
    if (!chat) throw new Error("there is no such chat");
    return chat;
  }
}

export interface Call {
  readonly world: World;
  readonly me: Person;
  readonly method: string;
  /** Of the path. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
}

/** Answers a call of somebody whose token is right; undefined where there is no such route. */
export type Shape = (call: Call) => Answer | undefined;

export interface Fault {
  /** Of the path, without its query. */
  readonly path: RegExp;
  readonly method?: string;
  readonly answer: Answer;
}

/** The API of a world in a shape. `faults` come first, and may be changed at any time. */
export async function startWorld(world: World, shape: Shape): Promise<ScriptedServer & { readonly faults: Fault[] }> {
  const faults: Fault[] = [];
  const server: ScriptedServer = await startScriptedServer((response, request) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://api");
    const { method = "" } = request;
    const fault = faults.find((each) => each.path.test(pathname) && (each.method ?? method) === method);
    const me = world.holder(request.headers.authorization);
    const text = server.requests.at(-1)?.body ?? "";
    const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
    const call = { world, method, query: searchParams, body, parts: pathname.split("/").slice(1) };
    const answer = fault?.answer ?? (me ? shape({ ...call, me }) : json(401, { error: "no" }));
    return (answer ?? json(404, { error: "no such route" }))(response, request);
  });
  return Object.assign(server, { faults });
}

/** A chat for one of its members, or why not. */
export function inChat({ world, me }: Call, chatId: unknown, use: (chat: StoredChat) => Answer): Answer {
  const chat = world.chats.find(({ id }) => id === String(chatId));
  if (!chat) return json(404, { error: "there is no such chat" });
  return chat.memberIds.includes(me.id) ? use(chat) : json(403, { error: "you are not in this chat" });
}

export function chatsOf({ world, me }: Call): readonly StoredChat[] {
  return world.chats.filter(({ memberIds }) => memberIds.includes(me.id));
}

export function lastInstant({ messages }: StoredChat): Date {
  return messages.at(-1)?.createdAt ?? new Date(START);
}

export const NO_BODY: Answer = raw(201, "");
