import type { HistoryPage } from "../chat/history.ts";
import type { Chat, Message } from "../chat/model.ts";
import { hasCode } from "../errors.ts";
import { builder } from "./builder.ts";
import type { Context } from "./context.ts";
import { HISTORY_COST, REQUEST_COST } from "./cost.ts";
import { inPieces } from "./in-pieces.ts";
import type { Loaders } from "./loaders.ts";
import type { Services } from "./services.ts";
import { DEPENDS_ON_VIEWER } from "./viewer.ts";

const NO_MESSAGES: HistoryPage = { messages: [], hasNextPage: false, hasPreviousPage: false };

/** A chat that the list should not have had: what cannot be had of it is empty, and hides none of the others. */
async function unlessRefused<T>(chat: Chat, load: () => Promise<T>, empty: T): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (chat.isListed && hasCode(error, "NOT_PARTICIPANT", "NOT_FOUND")) return empty;
    throw error;
  }
}

/** What the same operation reads of the history counts for the embedded copy, too: a client's cache takes both for one message. */
async function completed(copy: Message, loaders: Loaders, services: Services): Promise<Message> {
  if (copy.readAt !== null) return services.chats.complete(copy);
  // By then the fields beside this one have begun.
  await Promise.resolve();
  await loaders.historyUnderWay(copy.chatId);
  return services.chats.complete(copy);
}

async function lastMessageOf(chat: Chat, { loaders, services }: Context): Promise<Message | null> {
  if (chat.lastMessage !== "history") return chat.lastMessage && completed(chat.lastMessage, loaders, services);
  const newest = { chatId: chat.id, last: 1, before: undefined };
  const { messages } = await unlessRefused(chat, () => loaders.history.load(newest), NO_MESSAGES);
  return messages[0] ?? null;
}

async function unreadCountOf(chat: Chat, { caller, loaders, services }: Context): Promise<number> {
  if (chat.unreadCount !== undefined) return chat.unreadCount;
  // A list that does not say so of a chat that is out of it need not be asked for again.
  const list = chat.isListed ? [] : await loaders.chats.load("all");
  const identity = await caller.identity();
  return unlessRefused(chat, () => services.chats.unreadCount(identity, list, chat.id), 0);
}

builder.objectType("Chat", {
  description: "A conversation of two or more users, as the viewer sees it.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "The REST API's id of the chat; opaque." }),
    title: t.exposeString("title", { nullable: true, description: "A display name, where the REST API has one." }),
    participants: t.field({
      type: ["User"],
      description: "Every member of the chat, the viewer included.",
      resolve: (chat) => [...chat.participants],
    }),
    presence: t.field({
      type: ["Presence"],
      description: "The presence of every other participant.",
      extensions: DEPENDS_ON_VIEWER,
      resolve: async (chat, _args, { caller, loaders }) => {
        const { user } = await caller.identity();
        return Promise.all(
          chat.participants.filter(({ id }) => id !== user.id).map((other) => loaders.presence.load(other)),
        );
      },
    }),
    messages: t.field({
      type: "MessageConnection",
      description: "Messages in the order of creation: the newest `last` ones before the cursor `before`.",
      args: {
        last: t.arg.int({ required: true, defaultValue: 50, description: "How many, 1 to 500." }),
        before: t.arg.string({
          description:
            "The cursor of a message: only older ones are returned. Give a page's `startCursor` for the page before it. Without it: the newest messages.",
        }),
      },
      extensions: DEPENDS_ON_VIEWER,
      complexity: ({ last }) => ({ field: HISTORY_COST, multiplier: last }),
      resolve: (chat, { last, before }, { loaders }) =>
        unlessRefused(
          chat,
          () => loaders.history.load({ chatId: chat.id, last, before: before ?? undefined }),
          NO_MESSAGES,
        ),
    }),
    lastMessage: t.field({
      type: "Message",
      nullable: true,
      description: "The newest message; null in a chat without messages.",
      extensions: DEPENDS_ON_VIEWER,
      resolve: (chat, _args, context) => lastMessageOf(chat, context),
    }),
    unreadCount: t.int({
      description: "Messages that the viewer has not read.",
      extensions: DEPENDS_ON_VIEWER,
      resolve: (chat, _args, context) => unreadCountOf(chat, context),
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When the chat was created." }),
    updatedAt: t.expose("updatedAt", {
      type: "DateTime",
      description: "When the chat last changed, by a new message for instance. Lists are ordered by it.",
    }),
  }),
});

builder.queryFields((t) => ({
  chats: t.field({
    type: ["Chat"],
    description: "Every chat that the viewer takes part in, most recently updated first.",
    complexity: { field: REQUEST_COST },
    resolve: async (_root, _args, context) => inPieces(await context.loaders.chats.load("all"), context),
  }),
  chat: t.field({
    type: "Chat",
    description: "One chat. NOT_FOUND if there is none, NOT_PARTICIPANT if the viewer is not in it.",
    args: { id: t.arg.id({ required: true, description: "The chat's id." }) },
    complexity: REQUEST_COST,
    resolve: (_root, { id }, { loaders }) => loaders.chat.load(id),
  }),
}));
