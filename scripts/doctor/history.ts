/** Checks of a chat's history, page by page. */
import type { WireMessage } from "../../src/upstream/wire.ts";
import { examine } from "./answers.ts";
import { MESSAGES, type Examination } from "./examination.ts";
import { counted, type Problem } from "./report.ts";
import { page, readableMessages } from "./shapes.ts";

/** How an answer whose messages have faults goes on. */
const continuation = page.shape.omit({ messages: true });

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

/** Says in what order the messages come: all orders are allowed. */
function noteOrder(examination: Examination, { pages }: History): void {
  const times = pages.flat().map(({ createdAt }) => createdAt);
  const equal = times.length - new Set(times).size;
  if (!pages.every((messages) => isSorted(messages))) {
    examination.right(MESSAGES, "the messages of a page are in no order of time, which is as good");
  }
  if (equal > 0) {
    examination.right(
      MESSAGES,
      `${counted(equal, "message")} at the instant of another, shown in the order of the pages`,
    );
  }
}

/** What a history is, and whether anything is wrong with it. */
export interface CheckedHistory {
  readonly messages: readonly WireMessage[];
  /** Whether these are all. */
  readonly complete: boolean;
  readonly faultless: boolean;
}

export async function checkHistory(examination: Examination, chatId: string): Promise<CheckedHistory> {
  const history = await readHistory(examination, chatId, USUAL_LIMIT);
  const messages = history.pages.flat();
  const problems = [...history.problems, ...contentProblems(history, chatId)];
  const extent = history.complete ? "" : ", which is not the whole history";
  const amount = `200 with ${counted(messages.length, "message")} in ${counted(history.pages.length, "page")}${extent}`;
  examination.check(MESSAGES, `${amount}, each once and complete`, problems);
  if (history.problems.length > 0) examination.unchecked(MESSAGES, "the paging: the pages have faults.");
  else if (history.complete) await checkPaging(examination, chatId, history);
  else examination.right(MESSAGES, `paging: ${history.dialect}, though ${MAX_PAGES} pages did not reach the end`);
  if (problems.length === 0) noteOrder(examination, history);
  return { messages, complete: history.complete, faultless: problems.length === 0 };
}

/** Every page of a history until its end, a fault or {@link MAX_PAGES}. */
export async function readHistory(examination: Examination, chatId: string, limit = USUAL_LIMIT): Promise<History> {
  const pages: (readonly WireMessage[])[] = [];
  const asked = new Set<string>();
  let next: { readonly [parameter: string]: string } = {};
  let dialect: Dialect | undefined;
  const problems = new Map<string, Problem>();
  const ended = (last: readonly Problem[], complete: boolean): History => ({
    pages,
    problems: [...problems.values(), ...last],
    dialect,
    complete,
  });
  while (pages.length < MAX_PAGES) {
    const query = { limit: String(limit), ...next };
    const examined = examine(await examination.ask(MESSAGES, { ids: { chatId }, query }), page);
    examination.keepSample("page", examined.json);
    // The other messages, and the other pages, are looked at whatever is wrong with one.
    for (const problem of examined.problems) problems.set(problem.what, problem);
    pages.push(readableMessages(examined.json));
    const { data = continuation.safeParse(examined.json).data } = examined;
    if (data?.nextToken) [dialect, next] = ["nextToken", { nextToken: data.nextToken }];
    else if (data?.lastEvaluatedKey)
      [dialect, next] = ["lastEvaluatedKey", { lastMessageId: data.lastEvaluatedKey.id }];
    else return ended([], data !== undefined);
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
  const unseen = [...read].filter((id) => !ids.includes(id));
  const capped = await cappedProblems(examination, chatId, unseen);
  for (const problem of capped) examination.wrong(MESSAGES, problem);
  if (capped.length > 0) return;
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

/** @param unseen the ids of messages that smaller pages had, and those of the usual size had not. */
async function cappedProblems(
  examination: Examination,
  chatId: string,
  unseen: readonly string[],
): Promise<readonly Problem[]> {
  if (unseen.length === 0) return [];
  // They may have been written meanwhile.
  const { pages } = await readHistory(examination, chatId);
  const seen = new Set(pages.flat().map(({ id }) => id));
  const lost = unseen.filter((id) => !seen.has(id)).length;
  if (lost === 0) return [];
  return [
    {
      what: `with limit=${USUAL_LIMIT}: messages: ${counted(lost, "message")} on no page, though smaller pages have them`,
      advice: "Name a next page after one that is shorter than limit, too: the gateway asks for 100 messages at once.",
    },
  ];
}

function lostBy(dialect: Dialect, count: number): Problem {
  return {
    what: `messages: ${count} of them are on no page (${dialect})`,
    advice: "Name a next page until everything has been sent: the gateway reads no further than the last one named.",
  };
}
