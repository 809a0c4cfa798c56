/** The chats of a user, as the REST API lists them, without those that the user is not in. */
import { hasCode } from "../errors.ts";
import { ITEMS_PER_PIECE, type FairTurns } from "../fair-turns.ts";
import type { WireChat } from "../upstream/chat-api.ts";
import type { Directory } from "./directory.ts";
import { toChat, type Chat } from "./model.ts";
import type { Questions } from "./questions.ts";
import type { Identity, Session } from "./session.ts";

/** Every chat of a user, and when the question was put, a mark of {@link Directory.now}. */
export interface ChatList {
  readonly chats: readonly Chat[];
  readonly askedAt: number;
}

export interface ChatListParts {
  readonly questions: Questions;
  readonly directory: Directory;
  readonly turns: FairTurns;
}

/**
 * A list may be behind the chats' own records: what these have refused before is asked for again.
 *
 * @throws GatewayError UNAUTHENTICATED, UPSTREAM_…
 */
export async function listChats(parts: ChatListParts, identity: Identity): Promise<ChatList> {
  const { questions, directory, turns } = parts;
  const { token, user } = identity;
  const { answer, askedAt } = await questions.chats(token);
  const listed = (await toChats(answer, () => turns.next(user.id))).filter((chat) => isIn(chat, user.id));
  const doubtful = listed.filter((chat) => directory.isRefused(user.id, chat.id));
  if (doubtful.length === 0) return { chats: listed, askedAt };
  // Not by an answer from before the refusal.
  questions.askAnew(token);
  const refused = new Set<string>();
  await Promise.all(
    doubtful.map(async ({ id }) => {
      if (await isInRecord(questions, identity, id)) directory.confirm(user.id, id);
      else refused.add(id);
    }),
  );
  return { chats: listed.filter(({ id }) => !refused.has(id)), askedAt };
}

/** Each chat once, as it is listed last. In slices: some users have thousands. */
async function toChats(wire: readonly WireChat[], nextTurn: () => Promise<void>): Promise<readonly Chat[]> {
  const chats = new Map<string, Chat>();
  for (const [index, chat] of wire.entries()) {
    if (index % ITEMS_PER_PIECE === ITEMS_PER_PIECE - 1) await nextTurn();
    chats.set(chat.id, toChat(chat));
  }
  return [...chats.values()];
}

/**
 * Takes note of the chats of a session that is being opened.
 *
 * @param isAdmitted is asked then; where it says no, or throws, nothing is left of the session.
 */
export async function learnChats(
  directory: Directory,
  session: Session,
  { chats, askedAt }: ChatList,
  isAdmitted: () => boolean,
): Promise<boolean> {
  let isOpen = false;
  try {
    await directory.replaceInSlices(session.user.id, chats, askedAt);
    isOpen = isAdmitted();
    return isOpen;
  } finally {
    if (!isOpen) directory.detach(session);
  }
}

export function isIn({ participants }: Chat, userId: string): boolean {
  return participants.some(({ id }) => id === userId);
}

/** Where the record cannot be had, what it said last counts. */
async function isInRecord(questions: Questions, { token, user }: Identity, chatId: string): Promise<boolean> {
  try {
    return isIn(toChat((await questions.chat(token, chatId)).answer), user.id);
  } catch (error) {
    if (hasCode(error, "NOT_PARTICIPANT", "NOT_FOUND", "UPSTREAM_UNAVAILABLE", "UPSTREAM_TIMEOUT")) return false;
    throw error;
  }
}
