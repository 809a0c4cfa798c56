/** Checks that change the API's data. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { WireMessage } from "../../src/upstream/wire.ts";
import { examine } from "./answers.ts";
import { CHATS, MARK_CHAT_READ, MARK_READ, MESSAGES, SEND, type Examination } from "./examination.ts";
import { readHistory } from "./history.ts";
import { checkRefusal, unlike } from "./reading.ts";
import { counted, type Problem } from "./report.ts";
import { chatsAnswer, messageAnswer, readableChats, readAnswer } from "./shapes.ts";

const TEXT = "A test message: somebody checks this chat's REST API with --write.";

export interface WritingPatient {
  readonly chatId: string;
  readonly userId: string | undefined;
  /** As the profile has it. */
  readonly name: string | undefined;
  /** What the history had before. */
  readonly messages: readonly WireMessage[];
  /** A chat that the user of --other-token is not in. */
  readonly foreignChatId: string | undefined;
}

export async function checkWriting(examination: Examination, patient: WritingPatient): Promise<void> {
  const { chatId, messages, userId } = patient;
  const own = await checkSending(examination, patient);
  await checkRefusedSending(examination, patient);
  if (examination.lacks("receipts")) return;
  await checkMarkingRead(examination, chatId, { own, other: otherMessage(messages, userId) });
  await checkMarkingAllRead(examination, chatId, userId);
}

/** One of somebody else, best one that nobody has read. */
function otherMessage(messages: readonly WireMessage[], userId: string | undefined): string | undefined {
  const others = messages.filter(({ senderId }) => userId !== undefined && senderId !== userId);
  return (others.find(({ readAt }) => !readAt) ?? others.at(-1))?.id;
}

/** Answers with the id of the message that was sent. */
async function checkSending(examination: Examination, patient: WritingPatient): Promise<string | undefined> {
  const { chatId } = patient;
  const key = `doctor-${randomUUID()}`;
  const question = { ids: { chatId }, body: { content: `  ${TEXT}\n` }, idempotencyKey: key };
  const expectation = { ...messageAnswer, status: 201 };
  const { problems: faults, data, outcome } = await examination.read(SEND, expectation, question);
  examination.wrote(outcome, `a message to the chat ${chatId}`);
  if (data === undefined) {
    examination.unchecked(SEND, "the history and Idempotency-Key: there is no message to look for.");
    return undefined;
  }
  const { message } = data;
  const problems = messageProblems(message, patient);
  if (faults.length === 0) examination.check(SEND, "201 with the message, its content trimmed", problems);
  else for (const problem of problems) examination.wrong(SEND, problem);
  const stored = await checkStored(examination, chatId, message.id);
  await checkIdempotency(examination, question, message, stored);
  return message.id;
}

function messageProblems(message: WireMessage, { chatId, userId, name }: WritingPatient): readonly Problem[] {
  const problems: Problem[] = [];
  if (message.content !== TEXT) {
    problems.push({
      what: `message.content is not what was sent${message.content.trim() === TEXT ? ", trimmed" : ""}`,
      advice: "Answer the content as it is stored, without white space around it: the members of the chat are sent it.",
    });
  }
  if (message.chatId !== chatId) {
    problems.push({
      what: "message.chatId is not the chat that it was sent to",
      advice: "Answer that chat's id, spelt as in GET /chats: the message is delivered to the chat that is named.",
    });
  }
  if (userId !== undefined && message.senderId !== userId) {
    problems.push({
      what: "message.senderId is not the userId of GET /auth/profile",
      advice: "Answer the id of the token's user: clients tell their own messages by it.",
    });
  }
  if (name !== undefined && message.senderName !== name) {
    problems.push({
      what: "message.senderName is not the name of GET /auth/profile",
      advice: "Answer the name of the token's user: the members of the chat are shown it as the sender's.",
    });
  }
  return problems;
}

/** The ids of the history; undefined where it could not be read whole. */
type StoredIds = ReadonlySet<string> | undefined;

async function checkStored(examination: Examination, chatId: string, messageId: string): Promise<StoredIds> {
  const { pages, problems, complete } = await readHistory(examination, chatId);
  const ids = new Set(pages.flat().map(({ id }) => id));
  if (ids.has(messageId)) {
    examination.right(MESSAGES, "the message that was sent is in the history");
  } else if (problems.length === 0 && complete) {
    examination.wrong(MESSAGES, {
      what: "the message.id that POST answered is not in the history",
      advice:
        "Answer the id under which it is stored, once it can be read: who comes back is caught up from the history.",
    });
  } else {
    examination.unchecked(
      MESSAGES,
      "whether the message that was sent is in the history, which could not be read whole.",
    );
  }
  return complete && problems.length === 0 ? ids : undefined;
}

async function checkIdempotency(
  examination: Examination,
  question: { readonly ids: Readonly<Record<string, string>>; readonly body: object; readonly idempotencyKey: string },
  first: WireMessage,
  stored: StoredIds,
): Promise<void> {
  const outcome = await examination.ask(SEND, question);
  const { data, problems } = examine(outcome, { shape: identified });
  const isSame = data?.message.id === first.id;
  // The answer may be the first one's and the message stored twice all the same.
  if (isSame && !(await isStoredAgain(examination, first, stored))) {
    examination.right(SEND, "Idempotency-Key is honoured: set HTTP_API_IDEMPOTENT=true");
    return;
  }
  examination.wrote(outcome, "the same message once more, with the same Idempotency-Key");
  if (outcome.kind !== "answered" || outcome.status >= 500) {
    for (const problem of problems)
      examination.wrong(SEND, { ...problem, what: `with an Idempotency-Key used before: ${problem.what}` });
  } else if (!examination.options.idempotent) {
    examination.right(
      SEND,
      "Idempotency-Key is not honoured: leave HTTP_API_IDEMPOTENT=false, so that a POST is not repeated",
    );
  } else {
    const fault = isSame ? "stored the message again" : "did not answer the first one's message";
    examination.wrong(SEND, {
      what: `Idempotency-Key is not honoured: the second POST with one key ${fault}`,
      advice: "Answer it, or set HTTP_API_IDEMPOTENT=false: the gateway would send messages twice after a failure.",
    });
  }
}

async function isStoredAgain(
  examination: Examination,
  { chatId, senderId, content }: WireMessage,
  stored: StoredIds,
): Promise<boolean> {
  if (!stored) return false;
  const { pages } = await readHistory(examination, chatId);
  return pages
    .flat()
    .some((message) => !stored.has(message.id) && message.senderId === senderId && message.content === content);
}

const identified = z.object({ message: z.object({ id: z.string() }) });

const REFUSED_TEXT =
  "a message that is refused must not be stored, and its sender is to be told which of the two it was.";

async function checkRefusedSending(examination: Examination, patient: WritingPatient): Promise<void> {
  const { chatId, foreignChatId } = patient;
  const { otherToken } = examination.options;
  const blank = { ids: { chatId }, body: { content: " \n " } };
  const unknown = { ids: { chatId: unlike(chatId) }, body: { content: TEXT } };
  await send("for blank content", [400], blank);
  await send("for an unknown chat", [404], unknown);
  if (foreignChatId !== undefined) {
    const question = { ids: { chatId: foreignChatId }, body: { content: TEXT }, token: otherToken };
    await send("for somebody who is not in the chat", [403, 404], question);
  }

  async function send(
    when: string,
    statuses: readonly number[],
    question: typeof blank & { token?: string | undefined },
  ) {
    const outcome = await checkRefusal(examination, SEND, when, statuses, REFUSED_TEXT, question);
    examination.wrote(outcome, `a message ${when}`);
  }
}

const REFUSED_READ =
  "after a 2xx the gateway tells the chat that the message has been read, and other statuses mean something else.";

async function checkMarkingRead(
  examination: Examination,
  chatId: string,
  { own, other }: { readonly own: string | undefined; readonly other: string | undefined },
): Promise<void> {
  if (own === undefined) {
    examination.unchecked(MARK_READ, "400 for one's own message: there is none.");
  } else {
    const ids = { chatId, messageId: own };
    await checkRefusal(examination, MARK_READ, "for one's own message", [400], REFUSED_READ, { ids });
  }
  const unknown = { chatId, messageId: unlike(own ?? other ?? randomUUID()) };
  await checkRefusal(examination, MARK_READ, "for an unknown message", [404], REFUSED_READ, { ids: unknown });
  if (other === undefined) {
    examination.unchecked(MARK_READ, "somebody else's message: nobody else has written in this chat.");
    return;
  }
  const question = { ids: { chatId, messageId: other } };
  const { problems, outcome } = await examination.read(MARK_READ, readAnswer, question);
  examination.wrote(outcome, `that the user has read the message ${other}`);
  if (problems.length > 0) return;
  examination.right(MARK_READ, "2xx for somebody else's message");
  await checkReadMark(examination, chatId, other);
}

/** That the history says it as well: a 2xx alone may have done nothing. */
async function checkReadMark(examination: Examination, chatId: string, messageId: string): Promise<void> {
  const { pages, problems } = await readHistory(examination, chatId);
  const message = pages.flat().find(({ id }) => id === messageId);
  if (!message || problems.length > 0) {
    examination.unchecked(MARK_READ, "whether the message is read afterwards: the history could not be read.");
    return;
  }
  const advice = "Store when the message was read, and send it in the history: clients show it as unread otherwise.";
  const what = "the message has no readAt in the history afterwards";
  examination.check(MARK_READ, "the message has readAt afterwards", message.readAt ? [] : [{ what, advice }]);
}

/** That every message of the others says that it was read, not those of the first page alone. */
async function checkReadMarks(examination: Examination, chatId: string, userId: string | undefined): Promise<void> {
  const { pages, problems, complete } = await readHistory(examination, chatId);
  if (!complete || problems.length > 0 || userId === undefined) {
    examination.unchecked(
      MARK_CHAT_READ,
      "whether every message is read afterwards: the history could not be read whole.",
    );
    return;
  }
  const others = pages.flat().filter(({ senderId }) => senderId !== userId);
  const unread = others.filter(({ readAt }) => !readAt).length;
  const what = `of ${counted(others.length, "message")} of others ${unread} ${unread === 1 ? "is" : "are"} still without readAt afterwards`;
  const advice = "Mark every message of the chat, however many pages there are: clients show the others as unread.";
  examination.check(
    MARK_CHAT_READ,
    "every message of the others has readAt afterwards",
    unread === 0 ? [] : [{ what, advice }],
  );
}

async function checkMarkingAllRead(
  examination: Examination,
  chatId: string,
  userId: string | undefined,
): Promise<void> {
  const expectation = { shape: z.unknown(), mayBeWords: true };
  const { problems, outcome } = await examination.read(MARK_CHAT_READ, expectation, { ids: { chatId } });
  examination.wrote(outcome, `that the user has read everything in the chat ${chatId}`);
  if (problems.length > 0) return;
  await checkReadMarks(examination, chatId, userId);
  if (examination.lacks("unreadCounts")) return;
  const { json } = await examination.read(CHATS, chatsAnswer);
  const chat = readableChats(json).find(({ id }) => id === chatId);
  if (chat === undefined) return examination.unchecked(MARK_CHAT_READ, "its effect: the chat is not in the list.");
  if (typeof chat.unreadCount !== "number") return;
  const advice = "Count what the viewer has not read from then on: clients ask for the count after they have marked.";
  const what = `chats[].unreadCount of GET /chats is ${chat.unreadCount} afterwards`;
  examination.check(
    MARK_CHAT_READ,
    "2xx, and unreadCount is 0 afterwards",
    chat.unreadCount === 0 ? [] : [{ what, advice }],
  );
}
