/** A page of a chat's history is fetched and parsed once for all who wait for it with the same token. */
import type { MessagePage, NextPage } from "./chat-api.ts";
import { SingleFlight } from "./single-flight.ts";

export class SharedPages {
  readonly #flights = new SingleFlight<MessagePage>();

  /** The page under way, or what `fetch` comes to where there is none. Whose right it is read with is part of what it is known by. */
  join(
    token: string,
    chatId: string,
    limit: number,
    page: NextPage | undefined,
    fetch: () => Promise<MessagePage>,
  ): Promise<MessagePage> {
    return this.#flights.join(token, JSON.stringify([chatId, limit, page?.parameter, page?.value]), fetch);
  }

  /** Does what changes something: nobody who asks after it is given a page from before. */
  async afterWrite<T>(token: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } finally {
      this.#flights.detach(token);
    }
  }
}
