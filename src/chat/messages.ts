/** Sending: persisted by the REST API, then published, once. */
import { randomUUID } from "node:crypto";
import { createBoundedCache } from "../bounded-cache.ts";
import { BusUnavailable, type Bus } from "../bus/bus.ts";
import { boundedWait } from "../bounded.ts";
import { badInput, GatewayError } from "../errors.ts";
import type { ChatApi } from "../upstream/chat-api.ts";
import type { Access } from "./access.ts";
import type { MessageCreated } from "./events/message-created.ts";
import { topicOf, type BusEvent } from "./events/registry.ts";
import { toMessage, type Message } from "./model.ts";
import { once } from "./once.ts";
import type { Identity } from "./session.ts";
import type { Typing } from "./typing.ts";

/** How long a repeated `clientMessageId` gives back the message that it first made. */
const CLIENT_MESSAGE_ID_TTL_MS = 600_000;

/** How long an instance that is sending a message may go unheard before it is taken for dead: longer than Redis may be silent. */
const SENDING_MS = 5000;

const REMEMBERED_SENDS = 10_000;

/** It travels in the Idempotency-Key header: printable ASCII. */
const CLIENT_MESSAGE_ID = /^[\x21-\x7e]{1,128}$/;

/** How long a persisted message waits for the answer to who is in its chat, where nobody here knows. */
const LEARNING_MS = 1000;

/** How long the answer to a persisted message waits for its position. Its delivery goes on however long that takes. */
const PUBLISHING_MS = 1000;

/** Takes one from a user's allowance, or rejects with RATE_LIMITED. */
export type Limiter = (userId: string) => Promise<void>;

export interface SendRequest {
  readonly chatId: string;
  readonly content: string;
  readonly clientMessageId: string | undefined;
}

interface MessagesOptions {
  readonly api: ChatApi;
  readonly access: Access;
  readonly typing: Typing;
  readonly bus: Bus<BusEvent>;
  readonly limiter: Limiter;
  readonly maxContentBytes: number;
}

export class Messages {
  readonly #options: MessagesOptions;
  /** What this instance has sent: what a repetition gets while the bus cannot be reached, too. */
  readonly #sent = createBoundedCache<string, Message>({ max: REMEMBERED_SENDS, ttl: CLIENT_MESSAGE_ID_TTL_MS });
  /** The sends under way that carry a clientMessageId: a repetition waits for the first. */
  readonly #sending = new Map<string, { readonly chatId: string; readonly message: Promise<Message> }>();

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  /**
   * Persists a message and delivers it to the members of the chat. With a clientMessageId a repetition by the same sender gives
   * back the same message, delivered once; after a failure it is tried again.
   *
   * @throws GatewayError BAD_USER_INPUT, RATE_LIMITED, NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async send(identity: Identity, request: SendRequest): Promise<Message> {
    this.#checkContent(request.content);
    const { clientMessageId } = request;
    if (clientMessageId === undefined) return this.#persist(identity, request, randomUUID());
    if (!CLIENT_MESSAGE_ID.test(clientMessageId)) {
      throw badInput("clientMessageId", "A clientMessageId is 1 to 128 printable ASCII characters without spaces.");
    }
    return this.#sendOnce(identity, request, clientMessageId);
  }

  async #sendOnce(identity: Identity, request: SendRequest, clientMessageId: string): Promise<Message> {
    const key = `sent:${JSON.stringify([identity.user.id, clientMessageId])}`;
    // The check and the entry below fall in one turn: of two equal sends the second finds the first.
    let sending = this.#sending.get(key);
    if (!sending) {
      const message = this.#recallOrPersist(key, identity, request, clientMessageId).finally(() =>
        this.#sending.delete(key),
      );
      sending = { chatId: request.chatId, message };
      this.#sending.set(key, sending);
    }
    if (sending.chatId !== request.chatId) throw usedElsewhere();
    const message = await sending.message;
    if (message.chatId !== request.chatId) throw usedElsewhere();
    return message;
  }

  async #recallOrPersist(key: string, identity: Identity, request: SendRequest, id: string): Promise<Message> {
    const { state } = this.#options.bus;
    const work = async (): Promise<Message> => {
      const message = await this.#persist(identity, request, id);
      this.#sent.set(key, message);
      return message;
    };
    const sent = this.#sent.get(key);
    if (sent) return sent;
    try {
      return await once({ state, key, pendingMs: SENDING_MS, ttlMs: CLIENT_MESSAGE_ID_TTL_MS, work });
    } catch (error) {
      // A message is worth more than the promise to send it once, which this instance alone can keep for now.
      if (error instanceof BusUnavailable) return work();
      throw error;
    }
  }

  async #persist(identity: Identity, request: SendRequest, idempotencyKey: string): Promise<Message> {
    const { api, access, limiter, typing } = this.#options;
    const { chatId, content } = request;
    await limiter(identity.user.id);
    const learning = access.learnMembers(identity, chatId);
    const wire = await access.call(identity, chatId, () =>
      api.sendMessage(identity.token, chatId, content, idempotencyKey),
    );
    if (wire.chatId !== chatId) {
      throw new GatewayError("UPSTREAM_UNAVAILABLE", {
        cause: new Error("POST /chats/:chatId/messages: answered with a message of another chat"),
      });
    }
    if (learning) await boundedWait(LEARNING_MS, learning, undefined);
    const message = toMessage(wire, request.clientMessageId ?? null);
    const [delivered] = await Promise.all([this.deliver(message), typing.stop(chatId, identity.user.id)]);
    return delivered;
  }

  /** Publishes a message, once: the backend may repeat itself, and tell of what came through here. */
  async deliver(message: Message): Promise<Message> {
    const event: MessageCreated = { type: "message.created", chatId: message.chatId, message };
    const { bus } = this.#options;
    const published = bus.publish(topicOf(event), event);
    const result = await boundedWait(bus.isConnected ? PUBLISHING_MS : 0, published, undefined);
    return { ...message, position: result?.position };
  }

  #checkContent(content: string): void {
    const { maxContentBytes } = this.#options;
    if (content.trim() === "") throw badInput("content", "A message needs some content.");
    if (Buffer.byteLength(content) > maxContentBytes) {
      throw badInput("content", `A message's content has at most ${maxContentBytes} bytes.`);
    }
  }
}

function usedElsewhere(): GatewayError {
  return badInput("clientMessageId", "You used this clientMessageId for a message in another chat.");
}
