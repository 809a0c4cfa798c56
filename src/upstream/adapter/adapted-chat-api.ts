/** The {@link ChatApi} that an adapter makes: what it answers is checked, and what it throws is an error of the catalogue. */
import type { z } from "zod";
import { GatewayError, hasCode, type ErrorCode } from "../../errors.ts";
import type {
  Capabilities,
  ChatApi,
  MessagePage,
  NextPage,
  UpstreamStatus,
  WireChat,
  WireMessage,
  WireProfile,
} from "../chat-api.ts";
import { normaliseInstant } from "../instant.ts";
import type { Records } from "../records.ts";
import { requireBearer } from "../request-parts.ts";
import { fieldsOf } from "../rest-answer.ts";
import type { RestClient } from "../rest-client.ts";
import { SharedReads } from "../shared-reads.ts";
import type { UpstreamStatistics } from "../statistics.ts";
import { wireChat, wireMessage, wireUser } from "../wire.ts";
import type { Adapter, AdapterApi } from "./adapter.ts";
import { HELPERS } from "./helpers.ts";
import { BoundHttp } from "./http.ts";
import { continuationOf } from "./shapes.ts";

type CallName = keyof AdapterApi;

/** What an error's code means elsewhere than in a chat, and the argument that a BAD_USER_INPUT is about. */
interface CallKind {
  readonly argument?: string;
  readonly codes?: Readonly<Partial<Record<ErrorCode, ErrorCode>>>;
}

const KINDS: Readonly<Record<CallName, CallKind>> = {
  // Whatever is wrong with a token stays wrong with it.
  profile: {
    codes: { BAD_USER_INPUT: "UNAUTHENTICATED", NOT_FOUND: "UNAUTHENTICATED", NOT_PARTICIPANT: "UNAUTHENTICATED" },
  },
  // There is no list that could be missing: the address is wrong.
  chats: { codes: { NOT_FOUND: "UPSTREAM_UNAVAILABLE" } },
  chat: { argument: "chatId" },
  messages: { argument: "chatId" },
  sendMessage: { argument: "content" },
  markRead: { argument: "messageId" },
  markChatRead: { argument: "chatId" },
};

export interface AdaptedChatApiOptions {
  readonly adapter: Adapter;
  /** What the log calls it: the adapter's file. */
  readonly name: string;
  readonly client: RestClient;
  readonly records: Records;
}

export class AdaptedChatApi implements ChatApi {
  readonly capabilities: Capabilities;
  readonly #options: AdaptedChatApiOptions;
  readonly #reads = new SharedReads();

  /** @throws TypeError where the adapter has not what it does not say that it lacks. */
  constructor(options: AdaptedChatApiOptions) {
    const { adapter, client, name } = options;
    const { lacks } = adapter;
    this.#options = options;
    this.capabilities = {
      receipts: !lacks.includes("receipts"),
      unreadCounts: !lacks.includes("unreadCounts"),
      chat: !lacks.includes("chat"),
    };
    const missing = missingCalls(adapter.create(new BoundHttp(client, "", "profile"), HELPERS), this.capabilities);
    if (missing.length > 0) {
      throw new TypeError(
        `${name} has no ${missing.join(", ")}: add it, or say in \`lacks\` that the API has not got it`,
      );
    }
  }

  get status(): UpstreamStatus {
    return this.#options.client.status;
  }

  get statistics(): UpstreamStatistics {
    return this.#options.client.statistics;
  }

  async profile(token: string): Promise<WireProfile> {
    const profile = await this.#call(token, "profile", async (api) =>
      this.#check("profile", wireUser, await api.profile()),
    );
    this.#options.client.identify(token, profile.userId);
    return profile;
  }

  chats(token: string): Promise<readonly WireChat[]> {
    return this.#reads.chats(token, () =>
      this.#call(token, "chats", async (api) =>
        this.#options.records.chats(this.#nameOf("chats"), this.#list("chats", await api.chats())),
      ),
    );
  }

  async chat(token: string, chatId: string): Promise<WireChat> {
    if (this.capabilities.chat) {
      return this.#call(token, "chat", async (api) => this.#check("chat", wireChat, await api.chat?.(chatId)));
    }
    const chat = (await this.chats(token)).find(({ id }) => id === chatId);
    if (!chat) throw new GatewayError("NOT_PARTICIPANT");
    return chat;
  }

  messages(token: string, chatId: string, limit: number, page?: NextPage): Promise<MessagePage> {
    return this.#reads.page(token, chatId, limit, page, () => this.#messages(token, chatId, limit, page));
  }

  #messages(token: string, chatId: string, limit: number, page: NextPage | undefined): Promise<MessagePage> {
    return this.#call(token, "messages", async (api) => {
      const { messages, next } = await api.messages(chatId, { limit, next: page?.value });
      const records = this.#list("messages", messages);
      return {
        messages: await this.#options.records.messages(this.#nameOf("messages"), chatId, records),
        next: nextPageOf(next),
      };
    });
  }

  sendMessage(token: string, chatId: string, content: string, idempotencyKey: string): Promise<WireMessage> {
    return this.#reads.afterWrite(token, () =>
      this.#call(token, "sendMessage", async (api) =>
        this.#check("sendMessage", wireMessage, await api.sendMessage(chatId, content, idempotencyKey)),
      ),
    );
  }

  async markRead(token: string, chatId: string, messageId: string): Promise<string | undefined> {
    this.#requireReceipts();
    return this.#reads.afterWrite(token, () =>
      this.#call(token, "markRead", async (api) => {
        const readAt = await api.markRead?.(chatId, messageId);
        return typeof readAt === "string" ? normaliseInstant(readAt, "milliseconds") : undefined;
      }),
    );
  }

  async markChatRead(token: string, chatId: string): Promise<void> {
    this.#requireReceipts();
    await this.#reads.afterWrite(token, () =>
      this.#call(token, "markChatRead", async (api) => api.markChatRead?.(chatId)),
    );
  }

  detachReads(token: string): void {
    this.#reads.detach(token);
    this.#options.client.detachReads(token);
  }

  close(graceMs?: number): Promise<void> {
    return this.#options.client.close(graceMs);
  }

  #requireReceipts(): void {
    if (this.capabilities.receipts) return;
    throw new GatewayError("NOT_SUPPORTED", { message: "The chat service keeps no read receipts." });
  }

  async #call<T>(token: string, name: CallName, work: (api: AdapterApi) => Promise<T>): Promise<T> {
    requireBearer(token);
    const { adapter, client } = this.#options;
    try {
      return await work(adapter.create(new BoundHttp(client, token, name), HELPERS));
    } catch (error) {
      throw this.#translate(name, error);
    }
  }

  /** @throws GatewayError UPSTREAM_UNAVAILABLE, whose cause names the fields. */
  #check<T>(call: CallName, shape: z.ZodType<T>, value: unknown): T {
    const { data, error } = shape.safeParse(value);
    if (error) throw this.#unusable(call, `answers with another shape: ${fieldsOf(error)}`);
    return data;
  }

  #list(call: CallName, value: unknown): readonly unknown[] {
    if (!Array.isArray(value)) throw this.#unusable(call, "answers without a list");
    return value;
  }

  #translate(call: CallName, error: unknown): GatewayError {
    if (!(error instanceof GatewayError)) return this.#unusable(call, "threw", error);
    const { argument, codes = {} } = KINDS[call];
    const code = codes[error.code];
    if (code === "UPSTREAM_UNAVAILABLE") return this.#unusable(call, `was refused with ${error.code}`);
    if (code !== undefined) return new GatewayError(code);
    if (!hasCode(error, "BAD_USER_INPUT") || argument === undefined || error.argument !== undefined) return error;
    return new GatewayError("BAD_USER_INPUT", { message: error.message, argument });
  }

  #unusable(call: CallName, what: string, cause?: unknown): GatewayError {
    const message = `${this.#nameOf(call)}: ${what}`;
    return new GatewayError("UPSTREAM_UNAVAILABLE", { cause: new Error(message, { cause }) });
  }

  #nameOf(call: CallName): string {
    return `${call} of ${this.#options.name}`;
  }
}

function nextPageOf(next: unknown): NextPage | undefined {
  const value = continuationOf(next);
  return value === undefined ? undefined : { parameter: "next", value };
}

function missingCalls(api: AdapterApi, { receipts, chat }: Capabilities): readonly string[] {
  const needed: CallName[] = ["profile", "chats", "messages", "sendMessage"];
  if (chat) needed.push("chat");
  if (receipts) needed.push("markRead", "markChatRead");
  return needed.filter((name) => typeof api[name] !== "function");
}
