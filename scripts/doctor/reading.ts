/** Checks of who the user is, of the user's chats and of one chat. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { HELPERS } from "../../src/upstream/adapter/helpers.ts";
import type { WireMessage } from "../../src/upstream/wire.ts";
import { examine, refusalProblems } from "./answers.ts";
import { CHAT, CHATS, MESSAGES, PROFILE, type Examination } from "./examination.ts";
import { locate, translate, type Kind } from "./foreign.ts";
import type { Endpoint, Outcome, Question } from "./probe.ts";
import { counted, type Problem } from "./report.ts";
import {
  chatAnswer,
  chatsAnswer,
  profileAnswer,
  readableChats,
  readableMessages,
  uncountedChatsAnswer,
} from "./shapes.ts";

/** Who the user is, as far as the API tells. */
export interface Viewer {
  readonly userId: string | undefined;
  readonly name: string | undefined;
}

export async function checkProfile(examination: Examination): Promise<Viewer> {
  const { problems: faults, json } = await examination.read(PROFILE, profileAnswer);
  if (faults.length === 0) examination.right(PROFILE, "200 with userId, email and name");
  await checkUnauthenticated(examination, PROFILE);
  const [user] = recordsIn("profile", json);
  return { userId: user && textIn("profile", user, "userId"), name: user && textIn("profile", user, "name") };
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
  readonly lastMessage: unknown;
}

const participantIds = z.array(z.string()).optional().catch(undefined);

function listedChat(chat: object): readonly ListedChat[] {
  const id = textIn("chat", chat, "id");
  const { participants, lastMessage } = { participants: undefined, lastMessage: undefined, ...chat };
  return id === undefined ? [] : [{ id, participants: participantIds.parse(participants), lastMessage }];
}

/** @returns those chats of the user that have an id, wherever they are in the answer, and whether the list could be read. */
export async function checkChats(
  examination: Examination,
  userId: string | undefined,
): Promise<{ readonly chats: readonly ListedChat[]; readonly isRead: boolean }> {
  const expectation = examination.lacks("unreadCounts") ? uncountedChatsAnswer : chatsAnswer;
  const { problems: faults, json } = await examination.read(CHATS, expectation);
  const chats = readableChats(json);
  const problems = chats.flatMap((chat) => memberProblems(chat, "chats[].", userId));
  const ids = chats.map(({ id }) => id);
  if (new Set(ids).size < ids.length) problems.push(TWICE);
  if (faults.length === 0)
    examination.check(CHATS, `200 with ${counted(ids.length, "chat")}, each complete`, distinct(problems));
  else for (const problem of distinct(problems)) examination.wrong(CHATS, problem);
  await checkUnauthenticated(examination, CHATS);
  return { chats: recordsIn("chat", json).flatMap((chat) => listedChat(chat)), isRead: faults.length === 0 };
}

/** Chats whose own records are looked at. */
const MAX_RECORDS = 10;

/** That what is listed is not refused when it is asked for: somebody was removed in one place only. */
export async function checkListed(
  examination: Examination,
  chats: readonly ListedChat[],
  userId: string | undefined,
): Promise<void> {
  if (examination.lacks("chat")) return;
  const asked = chats.slice(0, MAX_RECORDS);
  let refused = 0;
  for (const { id } of asked) {
    const outcome = await examination.ask(CHAT, { ids: { chatId: id } });
    if (outcome.kind !== "answered") return;
    const { data } = examine(outcome, chatAnswer);
    const isOut = userId !== undefined && data?.chat.participants.includes(userId) === false;
    if (isOut || outcome.status === 403 || outcome.status === 404) refused += 1;
  }
  const what = `${refused} of ${counted(asked.length, "listed chat")} ${refused === 1 ? "is" : "are"} refused, or without the user, when asked for`;
  const advice =
    "List the chats that the user is in: somebody was removed from a chat's record and not from the list. The gateway believes the record.";
  examination.check(CHATS, "what is listed is had when asked for", refused === 0 ? [] : [{ what, advice }]);
}

const STALE =
  "Keep the copy in the list of chats up to date with the message itself: lists of chats show it. The gateway shows what is listed.";

/** That the copy of the last message that the list has is the newest of the history, which has been read whole. */
export function checkLastMessage(
  examination: Examination,
  { lastMessage }: ListedChat,
  messages: readonly WireMessage[],
): void {
  const [copy] = readableMessages({ messages: [lastMessage] });
  const newest = messages.reduce<string>((found, { createdAt }) => (createdAt > found ? createdAt : found), "");
  if (!copy) return;
  const problems: Problem[] = [];
  if (!messages.some(({ id }) => id === copy.id)) {
    problems.push({ what: "chats[].lastMessage is not in the history", advice: STALE });
  } else if (copy.createdAt < newest) {
    problems.push({ what: "chats[].lastMessage is not the newest of the history", advice: STALE });
  }
  examination.check(CHATS, "lastMessage is the newest of the history", problems);
}

/** The records of an answer, in the contract's place or wherever else they are. */
function recordsIn(kind: Kind, json: unknown): readonly object[] {
  return locate(kind, json)?.records ?? [];
}

/** A field as a text, of whatever name and type it is. */
function textIn(kind: Kind, record: object, field: string): string | undefined {
  const name = translate(kind, record).get(field)?.name;
  const text = name === undefined ? "" : HELPERS.id(Reflect.get(record, name));
  return text === "" ? undefined : text;
}

const TWICE: Problem = {
  what: "chats[].id: the same chat is listed twice",
  advice: "List each chat once: the gateway shows what is listed last.",
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
  if (examination.lacks("chat")) return checkChatRefusals(examination, chatId, [MESSAGES]);
  const { problems: faults, data } = await examination.read(CHAT, chatAnswer, { ids });
  const problems = data === undefined ? [] : memberProblems(data.chat, "chat.", userId);
  if (data !== undefined && data.chat.id !== chatId) {
    const advice =
      "Answer the chat that was asked for, its id spelt as in GET /chats: events are delivered by that id.";
    problems.push({ what: "chat.id is not the id that was asked for", advice });
  }
  if (faults.length === 0) examination.check(CHAT, "200 with the chat that was asked for", problems);
  else for (const problem of problems) examination.wrong(CHAT, problem);
  return checkChatRefusals(examination, chatId, [CHAT, MESSAGES]);
}

async function checkChatRefusals(
  examination: Examination,
  chatId: string,
  endpoints: readonly Endpoint[],
): Promise<void> {
  for (const endpoint of endpoints) {
    const unknown = { ids: { chatId: unlike(chatId) } };
    await checkRefusal(examination, endpoint, "for an unknown chat", [404], UNKNOWN, unknown);
    await checkUnauthenticated(examination, endpoint, { chatId });
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
  if (examination.lacks("chat")) return;
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
  const { data, problems } = examine(await examination.ask(PROFILE, { token: otherToken }), profileAnswer);
  for (const problem of problems)
    examination.wrong(PROFILE, { ...problem, what: `with --other-token: ${problem.what}` });
  if (data === undefined) return undefined;
  const outsider = data.user.userId;
  const foreign = chats.find(({ participants }) => participants?.includes(outsider) === false);
  if (foreign === undefined) {
    examination.unchecked(CHAT, "whether an outsider is refused: the user of --other-token is in every chat.");
    return undefined;
  }
  for (const endpoint of examination.lacks("chat") ? [MESSAGES] : [CHAT, MESSAGES]) {
    const question = { ids: { chatId: foreign.id }, token: otherToken };
    await checkRefusal(examination, endpoint, "for somebody who is not in the chat", [403, 404], OUTSIDER, question);
  }
  return foreign.id;
}
