/** What is long is fetched and parsed once for all who wait for it with the same token: a list of chats, a page of a chat's history. */
import type { MessagePage, NextPage, WireChat } from "./chat-api.ts";
import { SingleFlight } from "./single-flight.ts";

/** Each method returns what is under way, or what `fetch` comes to where there is nothing. */
export class SharedReads {
  readonly #chats = new SingleFlight<readonly WireChat[]>();
  readonly #pages = new SingleFlight<MessagePage>();

  chats(token: string, fetch: () => Promise<readonly WireChat[]>): Promise<readonly WireChat[]> {
    return this.#chats.join(token, "chats", fetch);
  }

  page(
    token: string,
    chatId: string,
    limit: number,
    page: NextPage | undefined,
    fetch: () => Promise<MessagePage>,
  ): Promise<MessagePage> {
    return this.#pages.join(token, JSON.stringify([chatId, limit, page?.parameter, page?.value]), fetch);
  }

  /** What is asked for with this token from now on is not from before. */
  detach(token: string): void {
    this.#chats.detach(token);
    this.#pages.detach(token);
  }

  /** Does what changes something: nobody who asks after it is given what is from before. */
  async afterWrite<T>(token: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } finally {
      this.detach(token);
    }
  }
}
