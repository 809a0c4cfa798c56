/** Reads lists record by record: one that cannot be read is left out and logged, and hides no other. */
import { createBoundedCache } from "../bounded-cache.ts";
import type { z } from "zod";
import { EACH, type Log } from "../log.ts";
import { Breather } from "./breather.ts";
import { wireChat, wireMessage, type WireChat, type WireMessage } from "./wire.ts";

/** Records that are remembered as logged. */
const REMEMBERED = 1000;

/** How an id is written to the log. */
const SHOWN_ID_LENGTH = 64;

/** Records between two looks at the clock. */
const BETWEEN_LOOKS = 32;

export class Records {
  readonly #log: Log;
  readonly #logged = createBoundedCache<string, true>({ max: REMEMBERED });

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param call names the request in the log. */
  chats(call: string, values: readonly unknown[]): Promise<readonly WireChat[]> {
    return this.#read(call, wireChat, values);
  }

  /** The messages of one chat: of another chat's its members alone may know. */
  async messages(call: string, chatId: string, values: readonly unknown[]): Promise<readonly WireMessage[]> {
    const messages = await this.#read(call, wireMessage, values);
    return messages.filter((message) => {
      if (message.chatId === chatId) return true;
      this.#report(call, message, "chatId: not the chat that was asked for");
      return false;
    });
  }

  async #read<T>(call: string, shape: z.ZodType<T>, values: readonly unknown[]): Promise<readonly T[]> {
    const breather = new Breather();
    const records: T[] = [];
    for (const [index, value] of values.entries()) {
      if (index % BETWEEN_LOOKS === BETWEEN_LOOKS - 1 && breather.isDue) await breather.breathe();
      const { data, error } = shape.safeParse(value);
      if (error) this.#report(call, value, faultOf(error));
      else records.push(data);
    }
    return records;
  }

  /** Once for each record and fault: the same list is read again and again. */
  #report(call: string, record: unknown, fault: string): void {
    const id = idOf(record);
    const key = `${call} ${id} ${fault}`;
    if (this.#logged.has(key)) return;
    this.#logged.set(key, true);
    // Beyond what is remembered the same record would be logged again and again.
    const isEach = this.#logged.size < REMEMBERED;
    this.#log.warn({ call, id, fault, [EACH]: isEach }, "a record of the REST API was left out");
  }
}

/** The field at fault and what is wrong with it. What the record says is not in it. */
function faultOf({ issues: [issue] }: z.ZodError): string {
  if (!issue) return "unreadable";
  return `${issue.path.join(".") || "the record"}: ${issue.message}`;
}

function idOf(record: unknown): string {
  const id: unknown = typeof record === "object" && record !== null ? Reflect.get(record, "id") : undefined;
  return typeof id === "string" || typeof id === "number" ? String(id).slice(0, SHOWN_ID_LENGTH) : "(none)";
}
