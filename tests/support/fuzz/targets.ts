/** Gateways as the fuzz attacks them. */
import { DEMO_CHATS, DEMO_USERS } from "../../../src/dev/seed.ts";
import type { Target } from "./attacker.ts";
import type { Known } from "./documents.ts";

const [alice, bob, carol] = DEMO_USERS;

/** Who is not among the attackers. */
export const CONTROL_USER = bob;

/** What is to be reached lies behind the limits that these variables lift. */
export const UNLIMITED: Readonly<Record<string, string>> = {
  RATE_LIMIT_OPERATIONS: "100000000/1s",
  RATE_LIMIT_FAILED_AUTH: "100000000/1s",
  MAX_CONNECTIONS_PER_USER: "100000",
  // The attackers share a process with the gateway and its REST API.
  HTTP_API_TIMEOUT: "60000",
  CONNECTION_INIT_TIMEOUT: "60000",
};

/**
 * @param url of the GraphQL endpoint of a gateway in front of a development API.
 * @param tokens of the attackers.
 */
export function targetOf(url: string, isCompressed: boolean, tokens = [alice.token, carol.token]): Target {
  return { url, isCompressed, tokens };
}

/** What the attackers may read and write. */
export async function knownOf({ url }: Target): Promise<Known> {
  const query = "{ chats { id messages(last: 20) { nodes { id cursor } } } }";
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${alice.token}` },
    body: JSON.stringify({ query }),
  });
  const { data } = (await response.json()) as {
    data: { chats: { messages: { nodes: { id: string; cursor: string }[] } }[] };
  };
  const messages = data.chats.flatMap(({ messages: { nodes } }) => nodes);
  return {
    chatIds: Object.values(DEMO_CHATS),
    messageIds: messages.map(({ id }) => id),
    cursors: messages.map(({ cursor }) => cursor),
  };
}
