/** Kit clients, and what they show. */
import { setMaxListeners } from "node:events";
import {
  createChatClient,
  type ChatClient,
  type ChatClientOptions,
  type ChatStorage,
  type Room,
  type Store,
} from "graphql-chat-client";

export interface KitClient extends ChatClient, AsyncDisposable {}

/** A client that is closed when it is disposed. */
export function openKit(options: ChatClientOptions): KitClient {
  const client = createChatClient(options);
  return { ...client, [Symbol.asyncDispose]: () => client.close() };
}

/** A storage of one browser, and what is in it. */
export function memoryStorage(): ChatStorage & { readonly stored: Map<string, string> } {
  const stored = new Map<string, string>();
  return {
    stored,
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, value),
  };
}

/** Resolves when the store's value is as wanted. Rejects after so long, with what the value is then. */
export async function until<T>(store: Store<T>, isWanted: (value: T) => boolean, withinMs = 110_000): Promise<T> {
  const reached = Promise.withResolvers<T>();
  const check = (): void => {
    if (isWanted(store.get())) reached.resolve(store.get());
  };
  const unsubscribe = store.subscribe(check);
  const timer = setTimeout(
    () => reached.reject(new Error(`not reached: ${JSON.stringify(store.get()).slice(-2000)}`)),
    withinMs,
  );
  check();
  try {
    return await reached.promise;
  } finally {
    clearTimeout(timer);
    unsubscribe();
  }
}

/** Every value that a store has had, from now on. */
export function record<T, U>(store: Store<T>, select: (value: T) => U): U[] {
  const seen = [select(store.get())];
  store.subscribe(() => {
    const value = select(store.get());
    if (value !== seen.at(-1)) seen.push(value);
  });
  return seen;
}

export function live(client: ChatClient): Promise<unknown> {
  return until(client.connection, ({ status }) => status === "live");
}

/** What a room shows, with the state of what is not sent. */
export function texts(room: Room): string[] {
  return room.messages.get().items.map(({ text, state }) => (state === "sent" ? text : `${text} (${state})`));
}

/** Resolves when the last messages of a room are these. */
export async function showing(room: Room, ...last: string[]): Promise<void> {
  await until(room.messages, () => JSON.stringify(texts(room).slice(-last.length)) === JSON.stringify(last));
}

/** The events of a page, and what its browser says of the network; Node.js has neither. */
export class WindowEvents implements Disposable {
  readonly #events = new EventTarget();

  constructor() {
    setMaxListeners(0, this.#events);
    Object.assign(globalThis, { addEventListener: this.#events.addEventListener.bind(this.#events) });
  }

  set onLine(onLine: boolean) {
    Object.defineProperty(navigator, "onLine", { configurable: true, value: onLine });
  }

  dispatch(type: "online" | "offline" | "pageshow" | "visibilitychange"): void {
    this.#events.dispatchEvent(new Event(type));
  }

  [Symbol.dispose](): void {
    Reflect.deleteProperty(globalThis, "addEventListener");
    Reflect.deleteProperty(navigator, "onLine");
  }
}
