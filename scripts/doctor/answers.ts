/** What is wrong with an answer, before anybody looks at what it says. */
import { z } from "zod";
import { isCoded, isWords } from "../../src/upstream/rest-answer.ts";
import type { Answer, Outcome } from "./probe.ts";
import type { Problem } from "./report.ts";
import { shapeProblems, type Records } from "./shapes.ts";

/** An answer that has been examined. */
export interface Examined<T> {
  readonly problems: readonly Problem[];
  /** What it says; undefined where it says nothing or nothing that can be read. */
  readonly json: unknown;
  /** The same, where it has the shape; undefined where it has not. */
  readonly data: T | undefined;
}

export interface Expectation<T> {
  readonly shape: z.ZodType<T>;
  /** Where the answer's records are, and what one is: for what is said of APIs of another shape. */
  readonly of?: Records;
  /** Any 2xx where absent. */
  readonly status?: number;
  /** Whether words such as "OK" will do, of which nothing is read. */
  readonly mayBeWords?: boolean;
}

/** Examines an answer that should be a success. An empty body is one where the shape takes undefined. */
export function examine<T>(outcome: Outcome, { shape, status, of, mayBeWords = false }: Expectation<T>): Examined<T> {
  const failure = failureOf(outcome);
  if (outcome.kind !== "answered" || failure !== undefined) return unreadable(failure);
  const problems = statusProblems(outcome, status);
  if (Math.floor(outcome.status / 100) !== 2) return { problems, json: undefined, data: undefined };
  if (isCoded(String(outcome.headers["content-encoding"]))) return unreadable(ENCODED);
  const json = jsonOf(outcome.text);
  if (json === NOT_JSON && mayBeWords && isWords(outcome.text)) return { problems, json: undefined, data: undefined };
  if (json === NOT_JSON) return unreadable({ what: `${contentTypeOf(outcome)} that is not JSON`, advice: NOT_THE_API });
  const found = [
    ...problems,
    ...(outcome.isExact === false ? [NOT_UTF8] : []),
    ...typeProblems(outcome),
    ...shapeProblems(shape, json, of),
  ];
  return { problems: found, json, data: shape.safeParse(json).data };
}

/**
 * What is wrong with an answer that should be a refusal with one of `statuses`.
 *
 * @param why what another status would do to the gateway.
 */
export function refusalProblems(outcome: Outcome, statuses: readonly number[], why: string): readonly Problem[] {
  const failure = failureOf(outcome);
  if (outcome.kind !== "answered" || failure !== undefined) return unreadable(failure).problems;
  if (!statuses.includes(outcome.status)) {
    const expected = statuses.join(" or ");
    return [{ what: `answered ${outcome.status} instead of ${expected}`, advice: `Answer ${expected}: ${why}` }];
  }
  if (errorBody.safeParse(jsonOf(outcome.text)).success) return [];
  const advice =
    "Answer JSON with the reason as a text: of a 400 the gateway's clients are shown that sentence, and a page of " +
    "something else often means that it is not the API that answers.";
  return [{ what: `the body of its ${outcome.status} is neither { "error": "…" } nor { "message": "…" }`, advice }];
}

const sentence = z.string().trim().min(1);
const errorBody = z.union([
  z.object({ error: sentence }),
  z.object({ message: sentence }),
  z.object({ detail: sentence }),
]);

const NOT_THE_API =
  "Answer JSON: this is more likely a proxy's page than the API's answer. Is --url right, with the path in front of the API's own?";

const ENCODED: Problem = {
  what: "content-encoding without having been asked for it",
  advice: "Compress only for who accepts it: the gateway sends `Accept-Encoding: identity`, and refuses anything else.",
};

const NOT_UTF8: Problem = {
  what: "bytes that are not UTF-8, and no charset that says what they are",
  advice: "Send JSON in UTF-8: names and messages arrive with other characters in them.",
};

const NOT_JSON = Symbol("not JSON");

function jsonOf(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return NOT_JSON;
  }
}

function unreadable(problem: Problem | undefined): Examined<never> {
  return { problems: problem === undefined ? [] : [problem], json: undefined, data: undefined };
}

/** Why there is no answer, or one that no answer of the contract could be. */
function failureOf(outcome: Outcome): Problem | undefined {
  switch (outcome.kind) {
    case "timed-out":
      return {
        what: `no answer within ${Math.round(outcome.ms)} ms`,
        advice: "Make it faster or raise HTTP_API_TIMEOUT: the gateway does not ask again after a timeout.",
      };
    case "too-large":
      return {
        what: "the answer is over 5 MB",
        advice:
          "Answer less at once, by smaller pages or shorter `lastMessage`s, or raise HTTP_API_MAX_RESPONSE: the gateway refuses " +
          "what is longer.",
      };
    case "failed":
      return {
        what: `the adapter has no answer: ${outcome.reason}`,
        advice: "Correct the adapter, or the API behind it: the gateway's clients get UPSTREAM_UNAVAILABLE.",
      };
    case "unconnected":
      return {
        what: `could not connect (${outcome.code})`,
        advice: "Is the API running, and --url its address as seen from here? The gateway would not reach it either.",
      };
    case "lost":
      return {
        what: `the connection was lost before the whole answer had come (${outcome.code})`,
        advice: "Look into the API's log for a crash: the gateway cannot know whether such a request was processed.",
      };
    default:
      return outcome.status >= 300 && outcome.status < 400 ? redirectProblem(outcome) : undefined;
  }
}

function redirectProblem({ status, headers: { location } }: Answer): Problem {
  const target = typeof location === "string" && URL.canParse(location) ? new URL(location) : undefined;
  // Not the query: there may be secrets in it.
  const where = target === undefined ? "" : ` to ${target.origin}${target.pathname}`;
  return {
    what: `redirected with ${status}${where}`,
    advice: "Answer directly, or give --url the address that is meant: the gateway follows no redirect.",
  };
}

function statusProblems({ status }: Answer, expected: number | undefined): readonly Problem[] {
  const isRight = expected === undefined ? status >= 200 && status < 300 : status === expected;
  return isRight ? [] : [{ what: `answered ${status} instead of ${expected ?? 200}`, advice: statusAdvice(status) }];
}

function statusAdvice(status: number): string {
  if (status === 401)
    return "Take this token, or give --token another: the gateway ends the session of a token that is refused.";
  if (status === 403) return "Allow it to this user: the gateway takes a 403 for the end of a membership.";
  if (status === 404) return "Make this route exist. Is --url right, with the path in front of the API's own?";
  if (status === 429) return "Raise the limit: many users of the gateway come from one address.";
  if (status >= 500) return "Look into the API's log: the gateway's clients get UPSTREAM_UNAVAILABLE.";
  return "Answer the status of the contract: the gateway tells by it what has happened.";
}

function typeProblems(answer: Answer): readonly Problem[] {
  const type = contentTypeOf(answer);
  if (answer.text === "" || /^application\/([\w.-]+\+)?json\b/i.test(type)) return [];
  const advice = "Say application/json: what stands between the API and the gateway may treat other types otherwise.";
  return [{ what: `content-type is ${type} instead of application/json`, advice }];
}

function contentTypeOf({ headers: { "content-type": type } }: Answer): string {
  return typeof type === "string" && type !== "" ? type : "something without a content-type";
}
