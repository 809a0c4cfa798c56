/** What an operator is told of an outage: that it began, why, as soon as that is known, and that it is over. */

/** What went wrong longer ago has nothing to do with the outage that begins now. */
const FRESH_MS = 3000;

/** Failures that follow from another one, and do not say why. */
const CONSEQUENCE =
  /^(Connection is closed|Command timed out|Stream isn't writeable|None of startup nodes|Cluster isn't ready|no answer in time|the bus cannot be reached|failed to connect to sentinel \S+ because Connection is closed|All sentinels are unreachable(?!.*Last error: (?!Connection is closed)))/;

export interface OutageListeners {
  readonly onOutage?: ((error: unknown) => void) | undefined;
  readonly onReturn?: (() => void) | undefined;
}

export class Outage {
  readonly #listeners: OutageListeners;
  readonly #refusals: { includes(error: unknown): boolean };
  #isOn = false;
  #reason: { readonly error: unknown; readonly at: number } | undefined;
  /** Whether a refusal has been passed on since the outage began. */
  #isExplained = false;
  /** Whether there has been no connection yet, nor a reason for that. */
  #isUnexplainedStart = true;

  /** @param refusals of which the listener has been told. */
  constructor(listeners: OutageListeners, refusals: { includes(error: unknown): boolean }) {
    this.#listeners = listeners;
    this.#refusals = refusals;
  }

  /**
   * Something went wrong on a connection. Where an outage lasts, the first refusal by the server is passed on; at the start, whatever is
   * the first reason.
   */
  failed(error: unknown): void {
    const reason = reasonOf(error);
    if (isConsequence(reason) && this.#freshReason() !== undefined) return;
    this.#reason = { error: reason, at: performance.now() };
    if (!this.#isOn || this.#isExplained) return;
    if (isRefusal(reason) || (this.#isUnexplainedStart && !isConsequence(reason))) this.#tell(reason);
  }

  begin(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#tell(this.#freshReason());
  }

  end(): void {
    if (this.#isOn) this.#listeners.onReturn?.();
    this.#isOn = false;
    this.#isExplained = false;
    this.#isUnexplainedStart = false;
    this.#reason = undefined;
  }

  #tell(reason: unknown): void {
    this.#isExplained = isRefusal(reason);
    if (reason !== undefined && !isConsequence(reason)) this.#isUnexplainedStart = false;
    // A connection may be given up since the server refuses to write.
    this.#listeners.onOutage?.(this.#refusals.includes(reason) ? undefined : reason);
  }

  #freshReason(): unknown {
    return this.#reason && performance.now() - this.#reason.at < FRESH_MS ? this.#reason.error : undefined;
  }
}

/** The error as a log may show it: the library's errors carry the command with its arguments, of which one may be the password. */
export function reasonOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ("lastNodeError" in error && error.lastNodeError instanceof Error) return reasonOf(error.lastNodeError);
  if (!("command" in error)) return error;
  const reason = new Error(error.message);
  reason.name = error.name;
  return reason;
}

function isConsequence(error: unknown): boolean {
  return error instanceof Error && CONSEQUENCE.test(error.message);
}

/** Whether a server, or its certificate, is the reason: that does not pass by itself. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return (
    error.name === "ReplyError" || /CERT|TLS|SSL/.test(code) || /NOAUTH|WRONGPASS|NOPERM|READONLY/.test(error.message)
  );
}
