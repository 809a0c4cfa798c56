/** What every check has at hand. */
import type { Lack } from "../../src/upstream/adapter/adapter.ts";
import { examine, type Examined, type Expectation } from "./answers.ts";
import type { Samples } from "./draft.ts";
import type { Kind } from "./foreign.ts";
import { nameOf, type Endpoint, type Outcome, type Prober, type Question } from "./probe.ts";
import type { Options } from "./options.ts";
import type { Problem, Report } from "./report.ts";

export const PROFILE: Endpoint = { method: "GET", template: "/auth/profile" };
export const CHATS: Endpoint = { method: "GET", template: "/chats" };
export const CHAT: Endpoint = { method: "GET", template: "/chats/:chatId" };
export const MESSAGES: Endpoint = { method: "GET", template: "/chats/:chatId/messages" };
export const SEND: Endpoint = { method: "POST", template: "/chats/:chatId/messages" };
export const MARK_READ: Endpoint = { method: "PUT", template: "/chats/:chatId/messages/:messageId/read" };
export const MARK_CHAT_READ: Endpoint = { method: "PUT", template: "/chats/:chatId/read-all" };

/** One run of the doctor. */
export class Examination {
  readonly options: Options;
  readonly report: Report;
  readonly #probe: Prober;
  readonly #samples = new Map<Kind | "page", unknown>();

  constructor(options: Options, probe: Prober, report: Report) {
    this.options = options;
    this.report = report;
    this.#probe = probe;
  }

  get connections(): number {
    return this.#probe.connections;
  }

  /** What has been answered, the first of each kind. */
  get samples(): Samples {
    return this.#samples;
  }

  lacks(lack: Lack): boolean {
    return this.#probe.lacks.includes(lack);
  }

  /** Sends a request of the user, or of whom `question` says. */
  ask(endpoint: Endpoint, question: Omit<Question, "endpoint"> = {}): Promise<Outcome> {
    return this.#probe.send({ endpoint, token: this.options.token, ...question });
  }

  /** Asks, and reports what is wrong with the answer. */
  async read<T>(
    endpoint: Endpoint,
    expectation: Expectation<T>,
    question: Omit<Question, "endpoint"> = {},
  ): Promise<Examined<T> & { readonly outcome: Outcome }> {
    const outcome = await this.ask(endpoint, question);
    const examined = examine(outcome, expectation);
    if (expectation.of) this.keepSample(endpoint === MESSAGES ? "page" : expectation.of.kind, examined.json);
    for (const problem of examined.problems) this.wrong(endpoint, problem);
    return { ...examined, outcome };
  }

  keepSample(kind: Kind | "page", json: unknown): void {
    if (json !== undefined && !this.#samples.has(kind)) this.#samples.set(kind, json);
  }

  /** Notes what a request has changed, or may have. */
  wrote(outcome: Outcome, what: string): void {
    if (outcome.kind === "unconnected") return;
    const isKnown = outcome.kind === "answered" && outcome.status < 500;
    if (!isKnown) this.report.wrote(`perhaps ${what}`);
    else if (outcome.status < 300) this.report.wrote(what);
  }

  right(endpoint: Endpoint, what: string): void {
    this.report.right(nameOf(endpoint), what);
  }

  wrong(endpoint: Endpoint, problem: Problem): void {
    this.report.wrong(nameOf(endpoint), problem);
  }

  unchecked(endpoint: Endpoint, why: string): void {
    this.report.unchecked(nameOf(endpoint), why);
  }

  check(endpoint: Endpoint, what: string, problems: readonly Problem[]): void {
    this.report.check(nameOf(endpoint), what, problems);
  }
}
