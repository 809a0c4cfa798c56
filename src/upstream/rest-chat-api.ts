/** The {@link ChatApi} over HTTP. */
import { GatewayError } from "../errors.ts";
import type { ChatApi, MessagePage, NextPage } from "./chat-api.ts";
import type { HttpRequest } from "./http.ts";
import { parseAnswer, refusalOf } from "./rest-answer.ts";
import { RestClient, type RestClientOptions } from "./rest-client.ts";
import { CHAT, CHATS, MARK_CHAT_READ, MARK_READ, MESSAGES, PROFILE, SEND, type Route } from "./rest-routes.ts";
import type { WirePage } from "./wire.ts";

export type RestChatApiOptions = RestClientOptions;

/**
 * The REST API at `baseUrl`, over one pool of connections. What it promises and rejects with: {@link ChatApi}. A call waits for
 * `timeoutMs` an attempt at most, and is not tried again after a timeout; see {@link RestClient.send} for what is.
 *
 * @throws TypeError where the base URL is none.
 */
export function createRestChatApi(options: RestChatApiOptions): ChatApi {
  return new RestChatApi(new RestClient(options));
}

/** What a request carries beside its ids. */
interface Extras extends Pick<HttpRequest, "body" | "idempotencyKey"> {
  readonly query?: Readonly<Record<string, string>>;
}

class RestChatApi implements ChatApi {
  readonly #client: RestClient;

  constructor(client: RestClient) {
    this.#client = client;
  }

  async profile(token: string) {
    return (await this.#call(PROFILE, token, {})).user;
  }

  async chats(token: string) {
    return (await this.#call(CHATS, token, {})).chats;
  }

  async chat(token: string, chatId: string) {
    return (await this.#call(CHAT, token, { chatId })).chat;
  }

  async messages(token: string, chatId: string, limit: number, page?: NextPage): Promise<MessagePage> {
    const query = { limit: String(limit), ...(page === undefined ? {} : { [page.parameter]: page.value }) };
    const answer = await this.#call(MESSAGES, token, { chatId }, { query });
    return { messages: answer.messages, next: nextOf(answer) };
  }

  async sendMessage(token: string, chatId: string, content: string, idempotencyKey: string) {
    const request = { body: { content }, idempotencyKey: headerValue(idempotencyKey) };
    return (await this.#call(SEND, token, { chatId }, request)).message;
  }

  async markRead(token: string, chatId: string, messageId: string) {
    return (await this.#call(MARK_READ, token, { chatId, messageId }))?.readAt ?? undefined;
  }

  async markChatRead(token: string, chatId: string) {
    await this.#call(MARK_CHAT_READ, token, { chatId });
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
    const answer = await this.#client.send({ method: route.method, template: route.template, path, token, ...rest });
    if (answer.status < 200 || answer.status > 299) throw refusalOf(route, answer);
    return parseAnswer(route, answer.text);
  }
}

/** A token that no header carries, or none that servers take (8 KB a line in most), is no valid one, and nobody needs to be asked. */
function requireBearer(token: string): void {
  if (!/^[\x21-\x7e]{1,8000}$/.test(token)) throw new GatewayError("UNAUTHENTICATED");
}

const MAX_ID_LENGTH = 512;

/**
 * @throws GatewayError NOT_FOUND for an id that no path can carry: empty, or only dots, which would name another resource however they are
 * escaped; not Unicode; or so long that it is no id.
 */
function fillIn(template: string, ids: Readonly<Record<string, string>>): string {
  return template.replaceAll(/:(\w+)/g, (_parameter, name: string) => {
    const id = ids[name] ?? "";
    if (/^\.*$/.test(id) || !id.isWellFormed() || id.length > MAX_ID_LENGTH) throw new GatewayError("NOT_FOUND");
    return encodeURIComponent(id);
  });
}

/** A client may make its ids of anything; the header takes only some of it. */
function headerValue(key: string): string {
  return /^[\x21-\x7e]+$/.test(key) ? key : encodeURIComponent(key.toWellFormed());
}

function nextOf({ nextToken, lastEvaluatedKey }: WirePage): NextPage | undefined {
  if (nextToken) return { parameter: "nextToken", value: nextToken };
  if (lastEvaluatedKey) return { parameter: "lastMessageId", value: lastEvaluatedKey.id };
  return undefined;
}
