/**
 * For an API that wraps its answers (`{ "payload": … }` here, `{ "data": … }` there), with seconds since the epoch, pages of twenty
 * messages before an id, and the members of rooms on a route of their own, which is asked once for all of them.
 */
import { defineAdapter, type ApiChat, type ApiMessage } from "graphql-chat-gateway/adapter";

type Room = { id: string; subject?: string; unread: number; created: number; updated: number };

type Member = { room: string; id: string; name: string };

type Post = {
  id: string;
  room: string;
  author: { id: string; name: string };
  text: string;
  sent: number;
  seen: { user: string; at: number }[];
};

const PAGE = 20;

export default defineAdapter((http, helpers) => {
  const post = ({ id, room, author, text, sent, seen }: Post): ApiMessage => ({
    id,
    chatId: room,
    ...helpers.sender(author),
    content: text,
    createdAt: helpers.instant(sent),
    ...helpers.readState(seen, author.id),
  });
  const chats = async (rooms: readonly Room[]): Promise<ApiChat[]> => {
    if (rooms.length === 0) return [];
    const body = await http.get("/v1/members", { query: { room: rooms.map(({ id }) => id) } });
    const members = Map.groupBy(helpers.unwrap<Member[]>(body, "members"), ({ room }) => room);
    return rooms.map(({ id, subject, unread, created, updated }) => ({
      id,
      storeName: subject,
      ...helpers.members(members.get(id)),
      unreadCount: unread,
      createdAt: helpers.instant(created),
      updatedAt: helpers.instant(updated),
    }));
  };
  return {
    async profile() {
      const { id, name, email } = helpers.unwrap<Record<string, string>>(await http.get("/v1/session"), "user");
      return { userId: helpers.id(id), name, email };
    },
    chats: async () => chats(helpers.unwrap(await http.get("/v1/rooms"), "rooms")),
    async chat(id) {
      const room = helpers.unwrap<Room>(await http.get("/v1/rooms/:id", { params: { id } }), "room");
      const [chat] = await chats([room]);
      return chat ?? Promise.reject(helpers.refusal("NOT_FOUND"));
    },
    messages: (id, request) =>
      helpers.byOldestId(request, { size: PAGE }, async ({ before }) => {
        const body = await http.get("/v1/rooms/:id/posts", { params: { id }, query: { before } });
        return helpers.unwrap<Post[]>(body, "posts").map(post);
      }),
    async sendMessage(id, text, idempotencyKey) {
      const body = await http.post("/v1/rooms/:id/posts", { params: { id }, body: { text }, idempotencyKey });
      return post(helpers.unwrap(body, "post"));
    },
    async markRead(id, upTo) {
      await http.post("/v1/rooms/:id/seen", { params: { id }, body: { post: upTo } });
    },
    markChatRead: (id) => http.post("/v1/rooms/:id/seen", { params: { id }, body: {} }),
  };
});
