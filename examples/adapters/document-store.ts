/**
 * For an API as people build it on a document store: `_id`, bare arrays, members and senders as objects, who has read a message as a
 * list of it, the chat's id in the body of a new message, no route for one chat, no paging.
 */
import { defineAdapter, type ApiChat, type ApiMessage } from "graphql-chat-gateway/adapter";

type Person = { _id: string; name: string; email?: string };

type StoredMessage = {
  _id: string;
  chat: string;
  sender: Person;
  content: string;
  createdAt: string;
  readBy: { user: string; readAt: string }[];
};

type StoredChat = {
  _id: string;
  chatName?: string;
  users: Person[];
  latestMessage?: StoredMessage;
  createdAt: string;
  updatedAt: string;
};

export default defineAdapter(
  (http, helpers) => {
    const message = ({ _id, chat, sender, content, createdAt, readBy }: StoredMessage): ApiMessage => ({
      id: _id,
      chatId: chat,
      ...helpers.sender(sender),
      content,
      createdAt,
      ...helpers.readState(readBy, sender._id),
    });
    const chat = ({ _id, chatName, users, latestMessage, createdAt, updatedAt }: StoredChat): ApiChat => ({
      id: _id,
      storeName: chatName,
      ...helpers.members(users),
      lastMessage: latestMessage && message(latestMessage),
      createdAt,
      updatedAt,
    });
    return {
      async profile() {
        const { _id, name, email } = await http.get<Person>("/api/user/me");
        return { userId: _id, name, email };
      },
      chats: async () => (await http.get<StoredChat[]>("/api/chat")).map(chat),
      async messages(chatId) {
        const messages = await http.get<StoredMessage[]>("/api/message/:chatId", { params: { chatId } });
        return { messages: messages.map(message) };
      },
      sendMessage: async (chatId, content, idempotencyKey) =>
        message(await http.post("/api/message", { body: { chatId, content }, idempotencyKey })),
      async markRead(_chatId, id) {
        await http.put("/api/message/:id/read", { params: { id } });
      },
      markChatRead: (id) => http.put("/api/chat/:id/read", { params: { id } }),
    };
  },
  { lacks: ["chat", "unreadCounts"] },
);
