/** Who takes part in the tests of this folder. */
import { randomUUID } from "node:crypto";
import type { DemoUser } from "../../src/dev/data.ts";
import type { Received } from "../support/client.ts";
import type { PresenceChangedSubscription, TypingChangedSubscription } from "../support/generated/graphql.ts";
import type { Instances } from "../support/instances.ts";

export interface Cast {
  readonly ann: DemoUser;
  readonly ben: DemoUser;
  readonly cleo: DemoUser;
  /** A chat that all three are in; nobody else knows them. */
  readonly chatId: string;
}

/** New people with a chat of their own: one test does not hear another. */
export function gather({ api }: Instances): Cast {
  const [ann, ben, cleo] = [newcomer("Ann"), newcomer("Ben"), newcomer("Cleo")];
  const { id } = api.data.createChat({ participants: [ann.id, ben.id, cleo.id] });
  return { ann, ben, cleo, chatId: id };

  function newcomer(name: string): DemoUser {
    return api.data.createUser({ name, token: randomUUID() });
  }
}

/** "Ben online" */
export async function nextPresence(received: Received<PresenceChangedSubscription>): Promise<string> {
  const { user, online } = (await received.next()).presenceChanged;
  return `${user.name} ${online ? "online" : "offline"}`;
}

/** "Ben types" */
export async function nextTyping(received: Received<TypingChangedSubscription>): Promise<string> {
  const { user, isTyping } = (await received.next()).typingChanged;
  return `${user.name} ${isTyping ? "types" : "stops"}`;
}
