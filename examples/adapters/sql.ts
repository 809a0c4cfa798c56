/**
 * For an API as people build it on a relational database: integer ids, snake_case, times of whole seconds without a zone, numbered
 * pages, nothing in the answer to a new message, no receipts.
 */
import { defineAdapter, type ApiChat, type ApiMessage } from "graphql-chat-gateway/adapter";

type MessageRow = {
  id: number;
  conversation_id: number;
  sender_id: number;
  sender_name: string | null;
  body: string;
  created_at: string;
};

type ConversationRow = {
  id: number;
  title: string | null;
  members: { user_id: number; display_name: string | null }[];
  unread_count: number;
  created_at: string;
  updated_at: string;
};

const PAGE = 50;

export default defineAdapter(
  (http, helpers) => {
    const message = (row: MessageRow): ApiMessage => ({
      id: helpers.id(row.id),
      chatId: helpers.id(row.conversation_id),
      senderId: helpers.id(row.sender_id),
      senderName: row.sender_name,
      content: row.body,
      createdAt: helpers.instant(row.created_at),
    });
    const chat = (row: ConversationRow): ApiChat => ({
      id: helpers.id(row.id),
      storeName: row.title,
      ...helpers.members(row.members),
      unreadCount: row.unread_count,
      createdAt: helpers.instant(row.created_at),
      updatedAt: helpers.instant(row.updated_at),
    });
    const read = async (chatId: string, page: number, per_page: number): Promise<ApiMessage[]> => {
      const options = { params: { chatId }, query: { page, per_page } };
      return (await http.get<{ items: MessageRow[] }>("/conversations/:chatId/messages", options)).items.map(message);
    };
    const profile = async () => {
      const { id, email, full_name: name } = await http.get<{ id: number; email: string; full_name: string }>("/me");
      return { userId: helpers.id(id), email, name };
    };
    return {
      profile,
      chats: async () =>
        (await http.get<{ conversations: ConversationRow[] }>("/conversations")).conversations.map(chat),
      chat: async (chatId) => chat(await http.get("/conversations/:chatId", { params: { chatId } })),
      messages: (chatId, request) =>
        helpers.byPageNumber(request, { size: PAGE }, ({ page, size }) => read(chatId, page, size)),
      async sendMessage(chatId, body, idempotencyKey) {
        await http.post("/conversations/:chatId/messages", { params: { chatId }, body: { body }, idempotencyKey });
        const { userId: senderId } = await profile();
        return helpers.justSent(await read(chatId, 1, PAGE), { content: body, senderId });
      },
    };
  },
  { lacks: ["receipts"] },
);
