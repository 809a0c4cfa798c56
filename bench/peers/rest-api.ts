/** The REST API behind every peer, written for speed: it answers the contract for a synthetic world, from formulas. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { env } from "node:process";
import { chatsOf, membersOf, userId, type World } from "../world.ts";
import { announce } from "./support/announce.ts";

const TIME = "2026-01-31T09:30:00.000Z";
const USER = /^Bearer t-u(\d+)$/;

const world = JSON.parse(env["WORLD"] ?? "{}") as World;
const startedAt = Date.now();
let messages = 0;
let requests = 0;

const server = createServer((request, response) => {
  // How many there were of the others, for the scenarios.
  if (request.url === "/requests") {
    answer(response, 200, { requests });
    return;
  }
  requests++;
  const user = Number(USER.exec(request.headers.authorization ?? "")?.[1] ?? Number.NaN);
  if (Number.isNaN(user)) answer(response, 401, { error: "No valid token" });
  else route(request, response, user);
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", 4096, () => announce(server.address()));

function route(request: IncomingMessage, response: ServerResponse, user: number): void {
  const [, kind, chatId = "", rest] = (request.url ?? "").split("?", 1)[0]?.split("/") ?? [];
  if (request.method === "POST" && rest === "messages") receive(request, response, user, chatId);
  else if (kind === "auth") answer(response, 200, { user: profileOf(user) });
  else if (kind === "chats" && chatId === "") answer(response, 200, { chats: chatsOf(world, user).map(chatOf) });
  else if (kind === "chats" && rest === undefined) answer(response, 200, { chat: chatOf(chatId) });
  else answer(response, 404, { error: "Not found" });
}

function receive(request: IncomingMessage, response: ServerResponse, user: number, chatId: string): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { content } = JSON.parse(Buffer.concat(chunks).toString()) as { content: string };
    const id = `m-${startedAt}-${messages++}`;
    const createdAt = new Date().toISOString();
    const message = {
      id,
      chatId,
      senderId: userId(user),
      senderName: nameOf(user),
      content: content.trim(),
      createdAt,
    };
    answer(response, 201, { message });
  });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function profileOf(user: number): object {
  return { userId: userId(user), email: `${userId(user)}@example.com`, name: nameOf(user), role: "user" };
}

function chatOf(id: string): object {
  const members = membersOf(world, id);
  return {
    id,
    participants: members.map(userId),
    participantNames: members.map(nameOf),
    unreadCount: 0,
    createdAt: TIME,
    updatedAt: TIME,
  };
}

function nameOf(user: number): string {
  return `User ${user}`;
}
