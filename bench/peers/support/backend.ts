/** What every peer asks of the REST API: who connects, and that a message be persisted. */
import { randomUUID } from "node:crypto";
import { env } from "node:process";
import { Pool } from "undici";

export interface Viewer {
  readonly token: string;
  readonly id: string;
  readonly name: string;
  readonly chatIds: ReadonlySet<string>;
}

/** As clients get it, from every peer. */
export interface Message {
  readonly id: string;
  readonly chatId: string;
  readonly content: string;
  readonly createdAt: string;
  readonly sender: { readonly id: string; readonly name: string };
}

interface WireMessage {
  readonly id: string;
  readonly chatId: string;
  readonly content: string;
  readonly createdAt: string;
  readonly senderId: string;
  readonly senderName: string;
}

/** One request, with the user's token: the answer's JSON. Rejects on any other status than 2xx. */
export type Fetch = (method: "GET" | "POST", path: string, token: string, body?: object) => Promise<unknown>;

export class Backend {
  readonly #fetch: Fetch;
  /** False where only the fan-out is measured: messages are then made up here. */
  readonly #persists = env["PERSIST"] === "rest";

  constructor(fetch: Fetch = undiciFetch()) {
    this.#fetch = fetch;
  }

  async authenticate(token: string): Promise<Viewer> {
    const [profile, list] = (await Promise.all([
      this.#fetch("GET", "/auth/profile", token),
      this.#fetch("GET", "/chats", token),
    ])) as [{ user: { userId: string; name: string } }, { chats: { id: string }[] }];
    const { userId: id, name } = profile.user;
    return { token, id, name, chatIds: new Set(list.chats.map((chat) => chat.id)) };
  }

  /** Rejects where the sender is not in the chat. */
  async persist(sender: Viewer, chatId: string, content: string): Promise<Message> {
    if (!sender.chatIds.has(chatId)) throw new Error("not a participant");
    if (!this.#persists) {
      const { id, name } = sender;
      return { id: randomUUID(), chatId, content, createdAt: new Date().toISOString(), sender: { id, name } };
    }
    const path = `/chats/${encodeURIComponent(chatId)}/messages`;
    const { message } = (await this.#fetch("POST", path, sender.token, { content })) as { message: WireMessage };
    const { senderId, senderName, ...rest } = message;
    return { ...rest, sender: { id: senderId, name: senderName } };
  }
}

/** The address of the REST API. */
export function restUrl(): string {
  const url = env["REST_URL"];
  if (url === undefined) throw new Error("REST_URL: expected the address of the REST API, got nothing");
  return url;
}

function undiciFetch(): Fetch {
  const pool = new Pool(restUrl(), { connections: 100 });
  return async (method, path, token, body) => {
    const headers = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) };
    const answer = await pool.request({ method, path, headers, body: body ? JSON.stringify(body) : null });
    if (answer.statusCode >= 300) throw new Error(`the REST API answered ${answer.statusCode}`);
    return answer.body.json();
  };
}
