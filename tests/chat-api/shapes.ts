/** REST APIs of the shapes that people build. */
import { json, type Answer } from "../support/scripted-server.ts";
import {
  chatsOf,
  inChat,
  lastInstant,
  NO_BODY,
  type Person,
  type Shape,
  type StoredChat,
  type StoredMessage,
  type World,
} from "./world.ts";

/** That of the contract. */
export const contract: Shape = (call) => {
  const { world, me, method, parts, query, body } = call;
  const [root, chatId, sub, messageId, last] = parts;
  const message = ({ createdAt, readBy, ...rest }: StoredMessage): object => ({
    ...rest,
    senderName: world.person(rest.senderId).name,
    createdAt: createdAt.toISOString(),
    ...(readBy.size > 0 && { readAt: [...readBy.values()][0]?.toISOString() }),
  });
  const chat = (stored: StoredChat): object => ({
    id: stored.id,
    storeName: stored.title,
    participants: stored.memberIds,
    participantNames: stored.memberIds.map((id) => world.person(id).name),
    unreadCount: world.unread(stored, me.id),
    createdAt: lastInstant(stored).toISOString(),
    updatedAt: lastInstant(stored).toISOString(),
  });
  if (root === "auth") return json(200, { user: { userId: me.id, email: `${me.id}@example.com`, name: me.name } });
  if (root !== "chats") return undefined;
  if (chatId === undefined) return json(200, { chats: chatsOf(call).map(chat) });
  return inChat(call, chatId, (stored) => {
    if (sub === undefined) return json(200, { chat: chat(stored) });
    if (sub === "read-all") return readAll(world, stored, me.id);
    if (method === "POST") {
      return sent(world, stored, me, body["content"], (added) => json(201, { message: message(added) }));
    }
    if (last === "read") return readOne(world, stored, messageId, me.id);
    const from = Number(query.get("nextToken") ?? 0);
    const page = stored.messages.slice(from, from + 20);
    const nextToken = from + 20 < stored.messages.length ? String(from + 20) : undefined;
    return json(200, { messages: page.map(message), nextToken });
  });
};

function sent(
  world: World,
  stored: StoredChat,
  me: Person,
  content: unknown,
  answer: (message: StoredMessage) => Answer,
): Answer {
  const text = String(content).trim();
  return text === ""
    ? json(400, { error: "a message needs some content" })
    : answer(world.addMessage(stored, me, text));
}

function readAll(world: World, stored: StoredChat, readerId: string) {
  for (const message of stored.messages) world.read(message, readerId);
  return json(200, {});
}

function readOne(world: World, stored: StoredChat, messageId: unknown, readerId: string) {
  const message = stored.messages.find(({ id }) => id === messageId);
  if (!message) return json(404, { error: "there is no such message" });
  if (message.senderId === readerId) return json(400, { error: "this is your own message" });
  world.read(message, readerId);
  return json(200, {});
}

/** `_id`, bare arrays, people as objects, the chat's id in the body. */
export const documentStore: Shape = (call) => {
  const { world, me, method, parts, body } = call;
  const [api, root, id, last] = parts;
  const person = (userId: string): object => ({ _id: userId, name: world.person(userId).name });
  const message = (stored: StoredMessage): object => ({
    _id: stored.id,
    chat: stored.chatId,
    sender: person(stored.senderId),
    content: stored.content,
    createdAt: stored.createdAt.toISOString(),
    readBy: [...stored.readBy].map(([user, readAt]) => ({ user, readAt: readAt.toISOString() })),
  });
  const chat = (stored: StoredChat): object => ({
    _id: stored.id,
    chatName: stored.title,
    users: stored.memberIds.map(person),
    ...(stored.messages.length > 0 && { latestMessage: stored.messages.slice(-1).map(message)[0] }),
    createdAt: lastInstant(stored).toISOString(),
    updatedAt: lastInstant(stored).toISOString(),
  });
  if (api !== "api") return undefined;
  if (root === "user" && id === "me") return json(200, { ...person(me.id), email: `${me.id}@example.com` });
  if (root === "chat" && id === undefined) return json(200, chatsOf(call).map(chat));
  if (root === "chat" && last === "read") return inChat(call, id, (stored) => readAll(world, stored, me.id));
  if (root !== "message") return undefined;
  if (method === "POST") {
    return inChat(call, body["chatId"], (stored) =>
      sent(world, stored, me, body["content"], (added) => json(201, message(added))),
    );
  }
  if (method === "GET") return inChat(call, id, (stored) => json(200, stored.messages.map(message)));
  const stored = world.chats.find(({ messages }) => messages.some((each) => each.id === id));
  return stored ? inChat(call, stored.id, () => readOne(world, stored, id, me.id)) : json(404, { error: "no" });
};

/** `2026-01-31 09:30:00` */
function zoneless(date: Date): string {
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** Integer ids, snake_case, zone-less seconds, numbered pages with the newest first, no receipts. */
export const sql: Shape = (call) => {
  const { world, me, method, parts, query, body } = call;
  const [root, chatId, sub] = parts;
  const message = (stored: StoredMessage): object => ({
    id: Number(stored.id),
    conversation_id: Number(stored.chatId),
    sender_id: Number(stored.senderId),
    sender_name: world.person(stored.senderId).name,
    body: stored.content,
    created_at: zoneless(stored.createdAt),
  });
  const chat = (stored: StoredChat): object => ({
    id: Number(stored.id),
    title: stored.title,
    members: stored.memberIds.map((id) => ({ user_id: Number(id), display_name: world.person(id).name })),
    unread_count: world.unread(stored, me.id),
    created_at: zoneless(lastInstant(stored)),
    updated_at: zoneless(lastInstant(stored)),
  });
  if (root === "me") return json(200, { id: Number(me.id), email: "a@example.com", full_name: me.name });
  if (root !== "conversations") return undefined;
  if (chatId === undefined) return json(200, { conversations: chatsOf(call).map(chat), total: 1 });
  return inChat(call, chatId, (stored) => {
    if (sub === undefined) return json(200, chat(stored));
    if (method === "POST") {
      return sent(world, stored, me, body["body"], () => NO_BODY);
    }
    const [page, size] = [Number(query.get("page")), Number(query.get("per_page"))];
    const items = stored.messages.toReversed().slice((page - 1) * size, page * size);
    return json(200, { items: items.map(message), page, pages: Math.ceil(stored.messages.length / size) });
  });
};

const seconds = (date: Date): number => date.getTime() / 1000;

/** Envelopes, epoch seconds, pages of twenty before an id, members on a route of their own. */
export const envelope: Shape = (call) => {
  const { world, me, method, parts, query, body } = call;
  const [, root, id, sub] = parts;
  const post = (stored: StoredMessage): object => ({
    id: stored.id,
    room: stored.chatId,
    author: { id: stored.senderId, name: world.person(stored.senderId).name },
    text: stored.content,
    sent: seconds(stored.createdAt),
    seen: [...stored.readBy].map(([user, at]) => ({ user, at: seconds(at) })),
  });
  const room = (stored: StoredChat): object => ({
    id: stored.id,
    subject: stored.title,
    unread: world.unread(stored, me.id),
    created: seconds(lastInstant(stored)),
    updated: seconds(lastInstant(stored)),
  });
  if (root === "session") return json(200, { payload: { user: { id: me.id, name: me.name, email: "a@example.com" } } });
  if (root === "members") {
    const rooms = chatsOf(call).filter((stored) => query.getAll("room").includes(stored.id));
    const members = rooms.flatMap((stored) =>
      stored.memberIds.map((userId) => ({ room: stored.id, id: userId, name: world.person(userId).name })),
    );
    return json(200, { payload: { members } });
  }
  if (root !== "rooms") return undefined;
  if (id === undefined) return json(200, { data: { rooms: chatsOf(call).map(room) } });
  return inChat(call, id, (stored) => {
    if (sub === undefined) return json(200, { payload: { room: room(stored) } });
    if (sub === "seen") {
      return body["post"] === undefined ? readAll(world, stored, me.id) : readOne(world, stored, body["post"], me.id);
    }
    if (method === "POST") {
      return sent(world, stored, me, body["text"], (added) => json(201, { payload: { post: post(added) } }));
    }
    const newestFirst = stored.messages.toReversed();
    const start = query.has("before") ? newestFirst.findIndex((each) => each.id === query.get("before")) + 1 : 0;
    return json(200, { data: { posts: newestFirst.slice(start, start + 20).map(post) } });
  });
};
