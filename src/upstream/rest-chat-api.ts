/** The {@link ChatApi} over HTTP: of an API of the contract's own shape, or of an adapter's. */
import { AdaptedChatApi } from "./adapter/adapted-chat-api.ts";
import type { Adapter } from "./adapter/adapter.ts";
import type { ChatApi, MessagePage, NextPage } from "./chat-api.ts";
import type { HttpRequest } from "./http.ts";
import { Records } from "./records.ts";
import { fillIn, headerValue, requireBearer } from "./request-parts.ts";
import { parseAnswer, refusalOf } from "./rest-answer.ts";
import { RestClient, type RestClientOptions } from "./rest-client.ts";
import { CHAT, CHATS, MARK_CHAT_READ, MARK_READ, MESSAGES, PROFILE, SEND, type Route } from "./rest-routes.ts";
import { SharedReads } from "./shared-reads.ts";
import type { WirePageOfRecords } from "./wire.ts";

export type RestChatApiOptions = RestClientOptions;

/**
 * The REST API at `baseUrl`, over one pool of connections. What it promises and rejects with: {@link ChatApi}. A call waits for
 * `timeoutMs` an attempt at most, and is not tried again after a timeout; see {@link RestClient.send} for what is.
 *
 * @throws TypeError where the base URL is none.
 */
export function createRestChatApi(options: RestChatApiOptions): ChatApi {
  return new RestChatApi(new RestClient(options), new Records(options.log));
}

/**
 * As {@link createRestChatApi}, for an API that `adapter` translates.
 *
 * @param name what the log calls the adapter.
 * @throws TypeError where the base URL is none or the adapter lacks a call without saying so.
 */
export function createAdaptedChatApi(adapter: Adapter, name: string, options: RestChatApiOptions): ChatApi {
  const client = new RestClient(options);
  return new AdaptedChatApi({ adapter, name, client, records: new Records(options.log) });
}

/** What a request carries beside its ids. */
interface Extras extends Pick<HttpRequest, "body" | "idempotencyKey"> {
  readonly query?: Readonly<Record<string, string>>;
}

class RestChatApi implements ChatApi {
  readonly capabilities = { receipts: true, unreadCounts: true, chat: true };
  readonly #client: RestClient;
  readonly #records: Records;
  readonly #reads = new SharedReads();

  constructor(client: RestClient, records: Records) {
    this.#client = client;
    this.#records = records;
  }

  get status() {
    return this.#client.status;
  }

  get statistics() {
    return this.#client.statistics;
  }

  async profile(token: string) {
    const { user } = await this.#call(PROFILE, token, {});
    this.#client.identify(token, user.userId);
    return user;
  }

  chats(token: string) {
    return this.#reads.chats(token, async () => {
      const { chats } = await this.#call(CHATS, token, {});
      return this.#records.chats(nameOf(CHATS), chats);
    });
  }

  async chat(token: string, chatId: string) {
    return (await this.#call(CHAT, token, { chatId })).chat;
  }

  messages(token: string, chatId: string, limit: number, page?: NextPage): Promise<MessagePage> {
    return this.#reads.page(token, chatId, limit, page, () => this.#messages(token, chatId, limit, page));
  }

  async #messages(token: string, chatId: string, limit: number, page: NextPage | undefined): Promise<MessagePage> {
    const query = { limit: String(limit), ...(page === undefined ? {} : { [page.parameter]: page.value }) };
    const answer = await this.#call(MESSAGES, token, { chatId }, { query });
    const messages = await this.#records.messages(nameOf(MESSAGES), chatId, answer.messages);
    return { messages, next: nextOf(answer) };
  }

  async sendMessage(token: string, chatId: string, content: string, idempotencyKey: string) {
    const request = { body: { content }, idempotencyKey: headerValue(idempotencyKey) };
    const sent = await this.#reads.afterWrite(token, () => this.#call(SEND, token, { chatId }, request));
    return sent.message;
  }

  async markRead(token: string, chatId: string, messageId: string) {
    const { readAt } = await this.#reads.afterWrite(token, () => this.#call(MARK_READ, token, { chatId, messageId }));
    return readAt ?? undefined;
  }

  async markChatRead(token: string, chatId: string) {
    await this.#reads.afterWrite(token, () => this.#call(MARK_CHAT_READ, token, { chatId }));
  }

  detachReads(token: string): void {
    this.#reads.detach(token);
    this.#client.detachReads(token);
  }

  close(graceMs?: number): Promise<void> {
    return this.#client.close(graceMs);
  }

  async #call<T>(
    route: Route<T>,
    token: string,
    ids: Readonly<Record<string, string>>,
    { query, ...rest }: Extras = {},
  ): Promise<T> {
    requireBearer(token);
    const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
    const path = fillIn(route.template, ids) + search;
    const { method, template, isAuthentication = false } = route;
    const answer = await this.#client.send({ method, template, path, token, isAuthentication, ...rest });
    if (answer.status < 200 || answer.status > 299) throw refusalOf(route, answer);
    return parseAnswer(route, answer);
  }
}

function nameOf({ method, template }: Route<unknown>): string {
  return `${method} ${template}`;
}

function nextOf({ nextToken, lastEvaluatedKey }: WirePageOfRecords): NextPage | undefined {
  if (nextToken) return { parameter: "nextToken", value: nextToken };
  if (lastEvaluatedKey) return { parameter: "lastMessageId", value: lastEvaluatedKey.id };
  return undefined;
}
