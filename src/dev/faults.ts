/**
 * Faults on demand. Everything is built from one mechanism: a rule says which requests it is for, what it does, at which of two
 * moments, and how often. A request meets the rules in the order of their making: it waits at each that holds, and the first that ends
 * it is the last that it meets, so that "fail once with 503, then once with 429" is two rules.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { undoable, type Undoable } from "./data.ts";
import { Gate } from "./gate.ts";
import { matches, RequestLog, type Match, type ReceivedRequest } from "./requests.ts";

export interface Reply {
  /** 200 where absent. */
  readonly status?: number;
  /** `content-type` is `application/json` where absent. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a text as it is; no body where absent. */
  readonly body?: object | string;
}

/** How a request ends: with a reply, with the one that is due, changed or half of it, or without any. */
export type Ending =
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "changed"; readonly change: (due: Reply) => Reply }
  | { readonly kind: "half"; readonly after: "stall" | "reset" }
  | { readonly kind: "destroy" };

/** Before the API has looked at a request, or after it has done what was asked and before it answers. */
export type Moment = "received" | "processed";

/** Which requests a fault is for, and how many of them: until it is lifted where `times` is absent. */
export interface Aim extends Match {
  readonly times?: number;
}

/** An aim at one of the two moments; `received` where absent. */
export interface TimedAim extends Aim {
  readonly when?: Moment;
}

type Action = Ending | { readonly kind: "wait"; readonly wait: () => Promise<void> };

interface Rule {
  readonly aim: TimedAim;
  readonly action: Action;
  remaining: number;
}

const HTML = "<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>";

/** The faults of one running API. All of them may be lifted at any time; requests that wait then go on. */
export class Faults {
  /** Every request that the API has received. */
  readonly requests = new RequestLog();
  readonly #rules = new Map<Rule, Undoable>();

  /** The connection is destroyed, unanswered. */
  down(aim: TimedAim = {}): Undoable {
    return this.#add({ kind: "destroy" }, aim);
  }

  /** The request is processed, then the connection is destroyed, so that the client cannot know. */
  loseResponse(aim: Aim = {}): Undoable {
    return this.down({ ...aim, when: "processed" });
  }

  /** Answers in the API's place; with `when: "processed"` the request takes effect all the same. */
  answer(reply: Reply, aim: TimedAim = {}): Undoable {
    return this.#add({ kind: "reply", reply }, aim);
  }

  /** The request is processed; what is answered is what `change` makes of the answer that is due. */
  change(change: (due: Reply) => Reply, aim: Aim = {}): Undoable {
    return this.#add({ kind: "changed", change }, { ...aim, when: "processed" });
  }

  /** 503, as a proxy or the API itself says that it has no capacity. */
  unavailable(aim?: TimedAim): Undoable {
    return this.answer({ status: 503, body: { error: "Service unavailable" } }, aim);
  }

  /** 429 with `Retry-After`, in seconds or as an HTTP date. */
  rateLimited(retryAfter: number | string, aim?: TimedAim): Undoable {
    const headers = { "retry-after": String(retryAfter) };
    return this.answer({ status: 429, headers, body: { error: "Too many requests" } }, aim);
  }

  /** 200 with a proxy's error page. */
  html(aim?: TimedAim): Undoable {
    return this.answer({ headers: { "content-type": "text/html" }, body: HTML }, aim);
  }

  /** 200 with JSON that has nothing of the contract. */
  wrongJson(aim?: TimedAim): Undoable {
    return this.answer({ body: { unexpected: true } }, aim);
  }

  /** 302 to `location`. */
  redirect(location: string, aim?: TimedAim): Undoable {
    return this.answer({ status: 302, headers: { location } }, aim);
  }

  /** 200 with sound JSON of `bytes` bytes. */
  oversized(bytes: number, aim?: TimedAim): Undoable {
    return this.answer({ body: `"${"x".repeat(bytes - 2)}"` }, aim);
  }

  /** The request is processed; half of the answer's body is sent, then nothing more. */
  stall(aim: Aim = {}): Undoable {
    return this.#add({ kind: "half", after: "stall" }, { ...aim, when: "processed" });
  }

  /** The request is processed; half of the answer's body is sent, then the connection is destroyed. */
  reset(aim: Aim = {}): Undoable {
    return this.#add({ kind: "half", after: "reset" }, { ...aim, when: "processed" });
  }

  /** Holds requests at a gate. They go on where they stood when it is released or lifted, even those whose client has gone. */
  hold(aim: TimedAim = {}): Gate {
    const gate: Gate = new Gate(() => fault.lift());
    const fault = this.#add({ kind: "wait", wait: () => gate.pass() }, aim, () => gate.lift());
    return gate;
  }

  /** Each request waits `delayMs`, or until the fault is lifted. */
  delay(delayMs: number, aim: TimedAim = {}): Undoable {
    const lifted = new Gate();
    const wait = (): Promise<void> => Promise.race([sleep(delayMs, undefined, { ref: false }), lifted.pass()]);
    return this.#add({ kind: "wait", wait }, aim, () => lifted.lift());
  }

  /** Lifts every fault. */
  clear(): void {
    for (const fault of this.#rules.values()) fault.lift();
  }

  /** For the API's own server: waits at every rule that holds the request, and says how it ends where a rule ends it. */
  async meet(request: ReceivedRequest, moment: Moment): Promise<Ending | undefined> {
    // The map may change while a request waits: rules that were added are met, rules that were lifted are not.
    for (const rule of this.#rules.keys()) {
      if ((rule.aim.when ?? "received") !== moment || rule.remaining === 0 || !matches(request, rule.aim)) continue;
      rule.remaining -= 1;
      if (rule.action.kind !== "wait") return rule.action;
      await rule.action.wait();
    }
    return undefined;
  }

  #add(action: Action, aim: TimedAim, lifted?: () => void): Undoable {
    const rule: Rule = { aim, action, remaining: aim.times ?? Number.POSITIVE_INFINITY };
    const fault = undoable(() => {
      this.#rules.delete(rule);
      lifted?.();
    });
    this.#rules.set(rule, fault);
    return fault;
  }
}
