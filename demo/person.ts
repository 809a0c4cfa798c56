/** One of the two demo users: a client, and what can be done to its connection. */
import { createChatClient, type ChatClient } from "graphql-chat-client";

export interface Person {
  /** Which of the demo users, from 0. */
  readonly user: number;
  readonly id: string;
  readonly name: string;
  readonly client: ChatClient;
  readonly setOffline: (isOffline: boolean) => void;
  readonly expireToken: () => Promise<void>;
  /** The token expires, and there is no other. */
  readonly endSession: () => Promise<void>;
}

interface Session {
  readonly id: string;
  readonly name: string;
  /** Gets tokens until it ends. */
  readonly session: string;
}

/** So long a token lives that is about to expire, in ms. */
const SHORT_MS = 3000;

/** A network that swallows everything would leave a request without an answer for minutes. */
const ANSWER_WITHIN_MS = 10_000;

/** Undefined where the session has ended. Rejects where the gateway cannot be reached. */
async function request<T>(method: string, path: string, session = ""): Promise<T | undefined> {
  const headers = { authorization: `Bearer ${session}` };
  const response = await fetch(path, { method, headers, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  if (response.status === 401) return undefined;
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}

/**
 * Signs in. Rejects where the gateway cannot be reached.
 *
 * @param user which of the demo users, from 0.
 */
export async function createPerson(user: number): Promise<Person> {
  const signedIn = await request<Session>("POST", `demo/session?user=${user}`);
  if (!signedIn) throw new Error("nobody may sign in");
  const { id, name, session } = signedIn;
  const issueToken = async (query = ""): Promise<string | undefined> =>
    (await request<{ readonly token: string }>("POST", `demo/token${query}`, session))?.token;
  let online = Promise.resolve();
  let goOnline: (() => void) | undefined;
  const client = createChatClient({
    url: new URL("graphql", location.href).href,
    clientId: `${user}-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`,
    storage: sessionStorage,
    token: async () => {
      await online;
      // Undefined where the user was signed out elsewhere: the kit then shows that, too.
      return issueToken();
    },
  });
  const expireToken = async (): Promise<void> => {
    const token = await issueToken(`?ms=${SHORT_MS}`);
    if (token === undefined) return;
    const query = "mutation ($token: String!) { refreshToken(token: $token) { id } }";
    await client.graphql.iterate({ query, variables: { token } }).next();
  };
  return {
    user,
    id,
    name,
    client,
    setOffline(isOffline) {
      goOnline?.();
      goOnline = undefined;
      if (!isOffline) return;
      online = new Promise((resolve) => (goOnline = resolve));
      client.graphql.terminate();
    },
    expireToken,
    async endSession() {
      await expireToken();
      await request("DELETE", "demo/session", session);
    },
  };
}
