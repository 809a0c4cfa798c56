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

interface Issued {
  readonly id: string;
  readonly name: string;
  readonly token: string;
}

/** So long a token lives that is about to expire, in ms. */
const SHORT_MS = 3000;

async function issueToken(user: number, ms?: number): Promise<Issued> {
  const response = await fetch(`demo/token?user=${user}${ms === undefined ? "" : `&ms=${ms}`}`, { method: "POST" });
  return (await response.json()) as Issued;
}

/** @param user which of the demo users, from 0. */
export async function createPerson(user: number): Promise<Person> {
  const { id, name } = await issueToken(user);
  let online = Promise.resolve();
  let goOnline: (() => void) | undefined;
  let current: string | undefined;
  let isOver = false;
  const client = createChatClient({
    url: new URL("graphql", location.href).href,
    clientId: `${user}-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`,
    storage: sessionStorage,
    token: async () => {
      await online;
      if (!isOver) current = (await issueToken(user)).token;
      return current;
    },
  });
  const expireToken = async (): Promise<void> => {
    const { token } = await issueToken(user, SHORT_MS);
    const query = "mutation ($token: String!) { refreshToken(token: $token) { id } }";
    const results = client.graphql.iterate({ query, variables: { token } });
    await results.next();
    current = token;
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
      isOver = true;
      await expireToken();
    },
  };
}
