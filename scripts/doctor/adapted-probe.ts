/** The contract's requests, answered by an adapter: what it answers, and what it refuses with, as an API of the contract would say it. */
import { pino } from "pino";
import { GatewayError, type ErrorCode } from "../../src/errors.ts";
import type { Adapter, AdapterApi, Lack } from "../../src/upstream/adapter/adapter.ts";
import { HELPERS } from "../../src/upstream/adapter/helpers.ts";
import { BoundHttp } from "../../src/upstream/adapter/http.ts";
import { continuationOf } from "../../src/upstream/adapter/shapes.ts";
import { RestClient } from "../../src/upstream/rest-client.ts";
import { MAX_ANSWER_BYTES, nameOf, type Outcome, type Prober, type ProbeOptions, type Question } from "./probe.ts";

const STATUSES: Readonly<Partial<Record<ErrorCode, number>>> = {
  BAD_USER_INPUT: 400,
  UNAUTHENTICATED: 401,
  NOT_PARTICIPANT: 403,
  NOT_FOUND: 404,
  NOT_SUPPORTED: 501,
};

/** What nobody's token is. */
const NO_TOKEN = "none";

export class AdaptedProbe implements Prober {
  readonly lacks: readonly Lack[];
  /** The adapter's client keeps them; how many there were is not told. */
  readonly connections = 0;
  readonly #adapter: Adapter;
  readonly #client: RestClient;

  constructor(adapter: Adapter, { url, timeoutMs }: ProbeOptions) {
    this.lacks = adapter.lacks;
    this.#adapter = adapter;
    this.#client = new RestClient({
      baseUrl: url,
      timeoutMs,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      attempts: 1,
      idempotentPosts: false,
      log: pino({ level: "silent" }),
    });
  }

  async send(question: Question): Promise<Outcome> {
    const startedAt = performance.now();
    const api = this.#adapter.create(new BoundHttp(this.#client, question.token ?? NO_TOKEN, "doctor"), HELPERS);
    const ended = await answerOf(api, question).catch((error: unknown) => failureOf(error));
    return { ...ended, ms: performance.now() - startedAt };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close(0);
  }
}

async function answerOf(api: AdapterApi, question: Question) {
  const { body, status } = await call(api, question);
  return answered(status, body === undefined ? "" : JSON.stringify(body));
}

function answered(status: number, text: string) {
  return { kind: "answered", status, headers: { "content-type": "application/json" }, text } as const;
}

async function call(api: AdapterApi, question: Question): Promise<{ status: number; body?: unknown }> {
  const { endpoint, ids = {}, query = {}, body = {}, idempotencyKey = "doctor" } = question;
  const { chatId = "", messageId = "" } = ids;
  switch (nameOf(endpoint)) {
    case "GET /auth/profile":
      return { status: 200, body: { user: await api.profile() } };
    case "GET /chats":
      return { status: 200, body: { chats: await api.chats() } };
    case "GET /chats/:chatId":
      return { status: 200, body: { chat: await api.chat?.(chatId) } };
    case "GET /chats/:chatId/messages": {
      const { messages, next } = await api.messages(chatId, {
        limit: Number(query["limit"]),
        next: query["nextToken"],
      });
      return { status: 200, body: { messages, nextToken: continuationOf(next) } };
    }
    case "POST /chats/:chatId/messages": {
      const content = "content" in body ? String(body.content) : "";
      return { status: 201, body: { message: await api.sendMessage(chatId, content, idempotencyKey) } };
    }
    case "PUT /chats/:chatId/messages/:messageId/read": {
      const readAt = await api.markRead?.(chatId, messageId);
      return { status: 200, body: readAt === undefined ? undefined : { readAt } };
    }
    default:
      await api.markChatRead?.(chatId);
      return { status: 200 };
  }
}

function failureOf(error: unknown) {
  if (!(error instanceof GatewayError)) return { kind: "failed", reason: String(error) } as const;
  if (error.code === "UPSTREAM_TIMEOUT") return { kind: "timed-out" } as const;
  const status = STATUSES[error.code];
  if (status !== undefined) return answered(status, JSON.stringify({ error: error.message }));
  const { cause } = error;
  const reason = cause instanceof Error ? cause.message : error.message;
  return reason.includes("could not connect")
    ? ({ kind: "unconnected", code: reason } as const)
    : ({ kind: "failed", reason } as const);
}
