/** The first draft of an adapter, from what the API has answered. */
import { lineOf, locate, translate, type Kind, type Source } from "./foreign.ts";

/** The bodies that an API has answered with, as far as there are any. */
export type Samples = ReadonlyMap<Kind | "page", unknown>;

/** A module for HTTP_API_ADAPTER. What could not be found is marked with TODO. */
export function draftAdapter(samples: Samples): string {
  const chats = samples.get("chat");
  const page = samples.get("page");
  const hasCounts = fieldsOf("chat", chats).includes("unreadCount:");
  const lacks = hasCounts ? "" : ', { lacks: ["unreadCounts"] }';
  return `/** Proposed by the doctor: a starting point. Complete what is marked, and run the doctor with --adapter on it. */
import { defineAdapter, type ApiChat, type ApiMessage } from "graphql-chat-gateway/adapter";

/** Whatever the API has; what is made of it is checked. */
// oxlint-disable-next-line typescript/no-explicit-any
type Row = any;

export default defineAdapter((http, helpers) => {
  const toChat = (chat: Row): ApiChat => ({
${fieldsOf("chat", chats)}
  });
  const toMessage = (message: Row): ApiMessage => ({
${fieldsOf("message", page)}
  });
  return {
    async profile() {
      const profile: Row = ${unwrapped("profile", samples.get("profile"), 'await http.get("/auth/profile")')};
      return {
${fieldsOf("profile", samples.get("profile")).replaceAll(/^/gm, "    ")}
      };
    },
    async chats() {
      const rows: Row[] = ${unwrapped("chat", chats, 'await http.get("/chats")')};
      return rows.map(toChat);
    },
    // TODO: without such a route remove it, and add "chat" to \`lacks\`.
    async chat(chatId) {
      return toChat(${unwrapped("chat", undefined, 'await http.get("/chats/:chatId", { params: { chatId } })', "chat")});
    },
${pagesOf(page)}
    async sendMessage(chatId, content, idempotencyKey) {
      const body = await http.post("/chats/:chatId/messages", { params: { chatId }, body: { content }, idempotencyKey });
      return toMessage(helpers.unwrap(body, "message"));
    },
    // TODO: without receipts remove both, and add "receipts" to \`lacks\`.
    async markRead(chatId, messageId) {
      await http.put("/chats/:chatId/messages/:messageId/read", { params: { chatId, messageId } });
    },
    async markChatRead(chatId) {
      await http.put("/chats/:chatId/read-all", { params: { chatId } });
    },
  };
}${lacks});
`;
}

/** What an adapter needs of each kind. */
const NEEDED: Readonly<Record<Kind, readonly string[]>> = {
  profile: ["userId", "email", "name", "role"],
  chat: ["id", "participants", "storeName", "unreadCount", "createdAt", "updatedAt"],
  message: ["id", "chatId", "senderId", "senderName", "content", "createdAt", "readAt"],
};

const OPTIONAL = new Set(["role", "storeName", "unreadCount", "senderName", "readAt", "email", "name"]);

function fieldsOf(kind: Kind, body: unknown): string {
  const [record] = locate(kind, body)?.records ?? [];
  const sources = record ? translate(kind, record) : new Map<string, Source>();
  const lines = NEEDED[kind].flatMap((field) => {
    if (sources.has(field)) return `    ${lineOf(kind, field, sources)},`;
    return OPTIONAL.has(field) ? [] : `    ${field}: TODO, // nothing like it was found`;
  });
  const isBare = sources.get("participants")?.helper === undefined;
  const names = kind === "chat" && isBare ? ["    participantNames: chat.participantNames,"] : [];
  return [...lines, ...names].join("\n");
}

function unwrapped(kind: Kind, body: unknown, answer: string, name = locate(kind, body)?.path.at(-1)): string {
  return name === undefined ? answer : `helpers.unwrap(${answer}, ${JSON.stringify(name)})`;
}

/** How the history goes on, as far as its first page tells. */
function pagesOf(page: unknown): string {
  const rows = unwrapped("message", page, "body");
  const names = namesIn(page);
  const token = ["nextToken", "nextCursor", "next_cursor", "cursor", "next"].find((name) => names.has(name));
  const isNumbered = names.has("page") || names.has("pages") || names.has("totalPages") || names.has("total_pages");
  if (token === undefined && isNumbered) {
    return `    // TODO: is \`page\` what it asks for, and 50 what a page has?
    messages: (chatId, request) =>
      helpers.byPageNumber(request, { size: 50 }, async ({ page, size }) => {
        ${read("{ page, per_page: size, limit: size }")}
        return (${rows} as Row[]).map(toMessage);
      }),`;
  }
  if (token === undefined && names.has("offset")) {
    return `    messages: (chatId, request) =>
      helpers.byOffset(request, async ({ offset, limit }) => {
        ${read("{ offset, limit }")}
        return (${rows} as Row[]).map(toMessage);
      }),`;
  }
  const todo =
    token === undefined
      ? "    // TODO: where there is a next page, how is it asked for? See helpers.byOldestId.\n"
      : "";
  const next = token === undefined ? "" : `, next: helpers.unwrap<Row>(body).${token} ?? undefined`;
  const query = token === undefined ? "{ limit }" : `{ limit, ${token}: next }`;
  return `${todo}    async messages(chatId, { limit${token === undefined ? "" : ", next"} }) {
      ${read(query)}
      return { messages: (${rows} as Row[]).map(toMessage)${next} };
    },`;
}

function read(query: string): string {
  return `const body: Row = await http.get("/chats/:chatId/messages", { params: { chatId }, query: ${query} });`;
}

/** The names of the fields around the list. */
function namesIn(body: unknown, depth = 0): ReadonlySet<string> {
  if (typeof body !== "object" || body === null || Array.isArray(body) || depth > 2) return new Set();
  const names = Object.entries(body).flatMap(([name, value]) => [name, ...namesIn(value, depth + 1)]);
  return new Set(names);
}
