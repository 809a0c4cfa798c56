/** Checks of who the user is, of the user's chats and of one chat. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { examine, refusalProblems } from "./answers.ts";
import { CHAT, CHATS, MESSAGES, PROFILE, type Examination } from "./examination.ts";
import type { Endpoint, Outcome, Question } from "./probe.ts";
import { counted, type Problem } from "./report.ts";
import { chatAnswer, chatsAnswer, profileAnswer } from "./shapes.ts";

/** Answers with the user's id, or undefined where the API does not tell. */
export async function checkProfile(examination: Examination): Promise<string | undefined> {
  const { problems: faults, data } = await examination.read(PROFILE, { shape: profileAnswer });
  if (faults.length === 0) examination.right(PROFILE, "200 with userId, email and name");
  await checkUnauthenticated(examination, PROFILE);
  return data?.user.userId;
}

const NO_SESSION =
  "it is what says that a token is no good; 403 is for a chat that one is not in, and a 2xx lets anybody in.";

/** That nobody gets in without a token, or with a wrong one. */
export async function checkUnauthenticated(
  examination: Examination,
  endpoint: Endpoint,
  ids: Readonly<Record<string, string>> = {},
): Promise<void> {
  const madeUp = `made-up-${randomUUID()}`;
  for (const [whose, token] of [["without a token", undefined] as const, ["with a made-up token", madeUp] as const]) {
    await checkRefusal(examination, endpoint, whose, [401], NO_SESSION, { ids, token });
  }
}

/** That one request is refused. Answers with how it ended. */
export async function checkRefusal(
  examination: Examination,
  endpoint: Endpoint,
  when: string,
  statuses: readonly number[],
  why: string,
  question: Omit<Question, "endpoint">,
): Promise<Outcome> {
  const outcome = await examination.ask(endpoint, question);
  const problems = refusalProblems(outcome, statuses, why).map((problem) => ({
    ...problem,
    what: `${when}: ${problem.what}`,
  }));
  examination.check(endpoint, `${outcome.kind === "answered" ? outcome.status : "?"} ${when}`, problems);
  return outcome;
}

/** A chat, as far as it can be told whatever is wrong with it. */
export interface ListedChat {
  readonly id: string;
  readonly participants?: readonly string[] | undefined;
  readonly hasMessages: boolean;
}

const listed = z
  .object({
    id: z.string().min(1),
    participants: z.array(z.string()).optional().catch(undefined),
    lastMessage: z.unknown().optional(),
  })
  .transform(({ lastMessage, ...chat }) => ({
    ...chat,
    hasMessages: lastMessage !== undefined && lastMessage !== null,
  }));
const list = z.object({ chats: z.array(listed.or(z.unknown().transform(() => undefined))) });

/** Answers with those chats of the user that have an id. */
export async function checkChats(examination: Examination, userId: string | undefined): Promise<readonly ListedChat[]> {
  const { problems: faults, json, data } = await examination.read(CHATS, { shape: chatsAnswer });
  const problems = (data?.chats ?? []).flatMap((chat) => memberProblems(chat, "chats[].", userId));
  const ids = data?.chats.map(({ id }) => id) ?? [];
  if (new Set(ids).size < ids.length) problems.push(TWICE);
  if (faults.length === 0)
    examination.check(CHATS, `200 with ${counted(ids.length, "chat")}, each complete`, distinct(problems));
  else for (const problem of distinct(problems)) examination.wrong(CHATS, problem);
  await checkUnauthenticated(examination, CHATS);
  return (list.safeParse(json).data?.chats ?? []).filter((chat) => chat !== undefined);
}

const TWICE: Problem = {
  what: "chats[].id: the same chat is listed twice",
  advice: "List each chat once: clients would show it as often.",
};

interface Members {
  readonly participants: readonly string[];
  readonly participantNames: readonly string[];
}

function memberProblems(chat: Members, prefix: string, userId: string | undefined): Problem[] {
  const problems: Problem[] = [];
  const { participants, participantNames } = chat;
  if (participantNames.length !== participants.length) {
    problems.push({
      what: `${prefix}participantNames has another length than participants`,
      advice: "Send a name for each of `participants`, in the same order: who has none is shown by the id.",
    });
  }
  if (new Set(participants).size < participants.length) {
    problems.push({
      what: `${prefix}participants has somebody twice`,
      advice: "Name everybody once, and so in participantNames: presence would be asked for and shown as often.",
    });
  }
  if (userId !== undefined && !participants.includes(userId)) {
    problems.push({
      what: `${prefix}participants lacks the user's own userId`,
      advice:
        "Send the ids of GET /auth/profile, the user's own among them: who is not in there gets none of the chat's events.",
    });
  }
  return problems;
}

function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [problem.what, problem])).values()];
}

const UNKNOWN = "by another status a client cannot tell a chat that is gone from one that cannot be had at present.";

export async function checkChat(examination: Examination, chatId: string, userId: string | undefined): Promise<void> {
  const ids = { chatId };
  const { problems: faults, data } = await examination.read(CHAT, { shape: chatAnswer }, { ids });
  const problems = data === undefined ? [] : memberProblems(data.chat, "chat.", userId);
  if (data !== undefined && data.chat.id !== chatId) {
    const advice =
      "Answer the chat that was asked for, its id spelt as in GET /chats: events are delivered by that id.";
    problems.push({ what: "chat.id is not the id that was asked for", advice });
  }
  if (faults.length === 0) examination.check(CHAT, "200 with the chat that was asked for", problems);
  else for (const problem of problems) examination.wrong(CHAT, problem);
  for (const endpoint of [CHAT, MESSAGES]) {
    const unknown = { ids: { chatId: unlike(chatId) } };
    await checkRefusal(examination, endpoint, "for an unknown chat", [404], UNKNOWN, unknown);
    await checkUnauthenticated(examination, endpoint, ids);
  }
}

/** An id of the same form that nobody has. */
export function unlike(id: string): string {
  const random = randomUUID()
    .replaceAll("-", "")
    .repeat(Math.ceil(id.length / 32));
  const other = id.replaceAll(/[0-9a-f]/g, (_digit, position: number) => random.charAt(position));
  return other === id || !/[0-9a-f]{8}/.test(id) ? randomUUID() : other;
}

/** Ids that are something else to who takes their escapes for a part of the path. */
export async function checkEscapes(examination: Examination, chatId: string): Promise<void> {
  const why = "an escaped id names a chat that does not exist, and no other route.";
  for (const [description, id] of [
    ["whose id is ../auth/profile", "../auth/profile"],
    ["whose id ends in /messages", `${chatId}/messages`],
    ["whose id ends in /../", `x/../${chatId}`],
    ["whose id ends in ?limit=1", `${chatId}?limit=1`],
    ["whose id has %, # and letters beyond ASCII", "100% #é"],
  ] as const) {
    const outcome = await examination.ask(CHAT, { ids: { chatId: id } });
    // Not its body: what stands in front of the API may refuse such a path by itself.
    const problems = refusalProblems(outcome, [404, 400, 403], why).filter(({ what }) => !what.startsWith("the body"));
    const named = problems.map((problem) => ({
      ...problem,
      what: `for a chat ${description}, escaped: ${problem.what}`,
    }));
    examination.check(CHAT, `refused for a chat ${description}, escaped`, named);
  }
}

const OUTSIDER = "anything else shows the chat to somebody who is not in it, or hides why from the gateway.";

/** That somebody who is not in a chat does not get it. Answers with such a chat. */
export async function checkOutsider(
  examination: Examination,
  chats: readonly ListedChat[],
): Promise<string | undefined> {
  const { otherToken } = examination.options;
  if (otherToken === undefined) {
    examination.unchecked(CHAT, "whether an outsider is refused: --other-token is not given.");
    return undefined;
  }
  const { data, problems } = examine(await examination.ask(PROFILE, { token: otherToken }), { shape: profileAnswer });
  for (const problem of problems)
    examination.wrong(PROFILE, { ...problem, what: `with --other-token: ${problem.what}` });
  if (data === undefined) return undefined;
  const outsider = data.user.userId;
  const foreign = chats.find(({ participants }) => participants?.includes(outsider) === false);
  if (foreign === undefined) {
    examination.unchecked(CHAT, "whether an outsider is refused: the user of --other-token is in every chat.");
    return undefined;
  }
  for (const endpoint of [CHAT, MESSAGES]) {
    const question = { ids: { chatId: foreign.id }, token: otherToken };
    await checkRefusal(examination, endpoint, "for somebody who is not in the chat", [403, 404], OUTSIDER, question);
  }
  return foreign.id;
}
