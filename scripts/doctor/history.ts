/** Checks of a chat's history, page by page. */
import type { WireMessage } from "../../src/upstream/wire.ts";
import { examine } from "./answers.ts";
import { MESSAGES, type Examination } from "./examination.ts";
import { counted, type Problem } from "./report.ts";
import { page } from "./shapes.ts";

/** As the gateway asks. */
const USUAL_LIMIT = 100;

/** A doctor does not read everything that people have written in years. */
const MAX_PAGES = 50;

/** So many pages are asked for where the API lets the limit decide. */
const WANTED_PAGES = 5;

type Dialect = "nextToken" | "lastEvaluatedKey";

interface History {
  readonly pages: readonly (readonly WireMessage[])[];
  readonly problems: readonly Problem[];
  /** How the answers that have a next page say so. */
  readonly dialect: Dialect | undefined;
  /** Whether the last page has been read. */
  readonly complete: boolean;
}

/** Answers with the messages that were read, and whether they are all. */
export async function checkHistory(
  examination: Examination,
  chatId: string,
): Promise<Pick<History, "complete"> & { readonly messages: readonly WireMessage[] }> {
  const history = await readHistory(examination, chatId, USUAL_LIMIT);
  const messages = history.pages.flat();
  const problems = [...history.problems, ...contentProblems(history, chatId)];
  const extent = history.complete ? "" : ", which is not the whole history";
  const amount = `200 with ${counted(messages.length, "message")} in ${counted(history.pages.length, "page")}${extent}`;
  examination.check(MESSAGES, `${amount}, each once and complete`, problems);
  if (history.problems.length > 0) examination.unchecked(MESSAGES, "the paging: the pages have faults.");
  else if (history.complete) await checkPaging(examination, chatId, history);
  else examination.right(MESSAGES, `paging: ${history.dialect}, though ${MAX_PAGES} pages did not reach the end`);
  return { messages, complete: history.complete };
}

/** Every page of a history until its end, a fault or {@link MAX_PAGES}. */
export async function readHistory(examination: Examination, chatId: string, limit = USUAL_LIMIT): Promise<History> {
  const pages: (readonly WireMessage[])[] = [];
  const asked = new Set<string>();
  let next: { readonly [parameter: string]: string } = {};
  let dialect: Dialect | undefined;
  const ended = (problems: readonly Problem[], complete: boolean): History => ({ pages, problems, dialect, complete });
  while (pages.length < MAX_PAGES) {
    const query = { limit: String(limit), ...next };
    const { problems, data } = examine(await examination.ask(MESSAGES, { ids: { chatId }, query }), { shape: page });
    if (data === undefined || problems.length > 0) return ended(problems, false);
    pages.push(data.messages);
    if (data.nextToken) [dialect, next] = ["nextToken", { nextToken: data.nextToken }];
    else if (data.lastEvaluatedKey) [dialect, next] = ["lastEvaluatedKey", { lastMessageId: data.lastEvaluatedKey.id }];
    else return ended([], true);
    const key = JSON.stringify(next);
    if (asked.has(key)) return ended([endless(dialect)], false);
    asked.add(key);
  }
  return ended([], false);
}

function endless(dialect: Dialect): Problem {
  const parameter = dialect === "nextToken" ? "nextToken" : "lastMessageId";
  return {
    what: `${dialect} names a page that has been before, so that the pages have no end`,
    advice: `Go on after what ?${parameter}= names, and name no next page on the last: the gateway gives such a history up.`,
  };
}

function contentProblems({ pages }: History, chatId: string): readonly Problem[] {
  const messages = pages.flat();
  const ids = new Set(messages.map(({ id }) => id));
  const problems: Problem[] = [];
  if (ids.size < messages.length) {
    problems.push({
      what: `messages[].id: ${counted(messages.length - ids.size, "message")} too many, which were there before`,
      advice: "Let each page begin after the last: the gateway drops what it has had, but reads all of it.",
    });
  }
  if (messages.some((message) => message.chatId !== chatId)) {
    problems.push({
      what: "messages[].chatId is not the chat that was asked for",
      advice: "Send that chat's messages, the id spelt as in GET /chats: events and history are matched by it.",
    });
  }
  if (!pages.every((messagesOfPage) => isSorted(messagesOfPage))) {
    problems.push({
      what: "messages[].createdAt is in no order inside a page",
      advice: "Sort each page by createdAt: the gateway sorts what it shows, but this is often a sign of wrong times.",
    });
  }
  return problems;
}

function isSorted(messages: readonly WireMessage[]): boolean {
  const times = messages.map(({ createdAt }) => Date.parse(createdAt));
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? time));
  return steps.every((step) => step >= 0) || steps.every((step) => step <= 0);
}

/** Reads the history again in smaller pages, where there is enough of it. */
async function checkPaging(examination: Examination, chatId: string, whole: History): Promise<void> {
  const ids = whole.pages.flat().map(({ id }) => id);
  if (ids.length < 3) {
    examination.unchecked(
      MESSAGES,
      "the paging: the chat has fewer than three messages; name a longer one with --chat.",
    );
    return;
  }
  const limit = Math.max(2, Math.ceil(ids.length / WANTED_PAGES));
  const history = await readHistory(examination, chatId, limit);
  const problems = [...history.problems, ...contentProblems(history, chatId)];
  const read = new Set(history.pages.flat().map(({ id }) => id));
  const lost = ids.filter((id) => !read.has(id)).length;
  if (lost > 0 && history.complete) problems.push(lostBy(history.dialect ?? "nextToken", lost));
  for (const problem of problems)
    examination.wrong(MESSAGES, { ...problem, what: `with limit=${limit}: ${problem.what}` });
  if (problems.length > 0) return;
  const honoured = history.pages.every((messages) => messages.length <= limit);
  examination.right(MESSAGES, `limit is ${honoured ? "honoured" : "ignored, which is as good"}`);
  if (history.dialect === undefined) {
    examination.unchecked(MESSAGES, "the paging: all messages come in one page; name a longer chat with --chat.");
  } else if (!history.complete) {
    examination.unchecked(
      MESSAGES,
      `whether the paging (${history.dialect}) ends: it does not within ${MAX_PAGES} pages.`,
    );
  } else {
    examination.right(
      MESSAGES,
      `paging: ${history.dialect}, ${counted(history.pages.length, "page")}, nothing lost or twice`,
    );
  }
}

function lostBy(dialect: Dialect, count: number): Problem {
  return {
    what: `messages: ${count} of them are on no page (${dialect})`,
    advice: "Name a next page until everything has been sent: the gateway reads no further than the last one named.",
  };
}
