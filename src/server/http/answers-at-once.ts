/** How many queries and mutations of one caller are executed, or have answers that are not read yet, over HTTP. */
import type { ServerResponse } from "node:http";

/** As many as one WebSocket executes at once. */
const MAX_AT_ONCE = 16;

/** Beyond those: a page that opens a hundred chats at once waits for a moment. */
const MAX_WAITING = 200;

interface Answers {
  held: number;
  readonly waiting: Set<() => void>;
}

export class AnswersAtOnce {
  readonly #callers = new Map<string, Answers>();

  /**
   * Resolves when the caller may have another answer, which counts until it has left. `full`: too many wait already. `gone`: the caller has
   * left meanwhile.
   */
  async admit(caller: string, response: ServerResponse): Promise<"admitted" | "full" | "gone"> {
    const answers = this.#callers.get(caller) ?? { held: 0, waiting: new Set() };
    this.#callers.set(caller, answers);
    if (answers.held < MAX_AT_ONCE) answers.held++;
    else if (answers.waiting.size >= MAX_WAITING) return "full";
    else if (!(await waitIn(answers, response))) return "gone";
    const release = (): void => this.#release(caller, answers);
    if (response.closed) release();
    else response.once("close", release);
    return response.closed ? "gone" : "admitted";
  }

  #release(caller: string, answers: Answers): void {
    const [next] = answers.waiting;
    if (next) {
      answers.waiting.delete(next);
      next();
      return;
    }
    answers.held--;
    if (answers.held === 0) this.#callers.delete(caller);
  }
}

/** Resolves to whether one that leaves has made room; to false where the client has gone before. */
function waitIn({ waiting }: Answers, response: ServerResponse): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const admit = (): void => resolve(true);
  waiting.add(admit);
  response.once("close", () => {
    if (waiting.delete(admit)) resolve(false);
  });
  return promise;
}
