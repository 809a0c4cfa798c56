import type { ClientOrigin } from "../../call-origin.ts";
import type { Me } from "../../chat/model.ts";
import type { Identity, Session } from "../../chat/session.ts";
import type { Sessions } from "../../chat/sessions.ts";
import { badInput, GatewayError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type { Caller } from "../../graphql/caller.ts";
import type { Results } from "../../graphql/result-stream.ts";
import { logOpening, logStreamEnd } from "../connection-log.ts";
import { CloseCode } from "../websocket/close-codes.ts";
import type { EventStreams } from "./event-streams.ts";
import type { ConnectionLimits, Refusal, Slot } from "../connection-limits.ts";
import { bearerToken } from "../token.ts";

/** The caller of one HTTP request. Only a subscription over SSE opens a session, which ends with its stream. */
export class HttpCaller implements Caller {
  /** An event source remembers by itself what it got last. */
  readonly resumable = undefined;
  readonly lastEventId: string | undefined;
  readonly client: ClientOrigin;
  readonly #sessions: Sessions;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #token: string | undefined;
  #identity: Promise<Identity> | undefined;
  #userId: string | undefined;
  #session: Session | undefined;
  #slot: Slot | undefined;
  #stream: { readonly results: Results; readonly streams: EventStreams } | undefined;
  #isReleased = false;

  constructor(sessions: Sessions, { headers, signal }: Request, client: ClientOrigin, log: Log) {
    this.#log = log;
    this.#sessions = sessions;
    this.#signal = signal;
    this.#token = bearerToken(headers.get("authorization"));
    this.lastEventId = headers.get("last-event-id") || undefined;
    this.client = client;
  }

  /** Each field asks, and so does what counts the user's operations: a REST API that is down is asked once for all of them. */
  identity(): Promise<Identity> {
    return (this.#identity ??= this.#identify());
  }

  async #identify(): Promise<Identity> {
    const identity = await this.#sessions.identify(this.#token, this.client);
    this.#userId = identity.user.id;
    return identity;
  }

  get userId(): string | undefined {
    return this.#userId;
  }

  /** Takes a place for a stream, until this is released. Resolves to why there is none. Rejects as `identity`. */
  async connect(limits: ConnectionLimits): Promise<Refusal | undefined> {
    const slot = limits.take(this.client.address);
    if (typeof slot === "string") return slot;
    this.#slot = slot;
    const { user } = await this.identity();
    return slot.identify(user.id);
  }

  /** The stream that the session is for. It is one of the open ones until this is released. */
  follow(results: Results, streams: EventStreams): void {
    if (this.#isReleased) return;
    this.#stream = { results, streams };
    streams.add(results);
  }

  async session(): Promise<Session> {
    await this.identity();
    const isWanted = (): boolean => !this.#isReleased && !this.#signal.aborted;
    if (this.#session) return this.#session;
    this.#session = await this.#sessions.open(this.#token, this.client, isWanted);
    if (!this.#session) throw new GatewayError("UNAUTHENTICATED");
    logOpening(this.#log, this.#session, "sse");
    return this.#session;
  }

  async refresh(): Promise<Me> {
    throw badInput("token", "There is no connection to refresh: every HTTP request brings its own token.");
  }

  release(): void {
    if (this.#session && !this.#isReleased) this.#logEnd(this.#session);
    this.#isReleased = true;
    this.#stream?.streams.delete(this.#stream.results);
    this.#slot?.release();
    if (this.#session) this.#sessions.close(this.#session);
  }

  /** With the code that a WebSocket would have been closed with. */
  #logEnd(session: Session): void {
    const { results, streams } = this.#stream ?? {};
    const isRestart = streams?.isDraining === true && !this.#signal.aborted;
    const code = session.ended ? CloseCode.forbidden : isRestart ? CloseCode.serviceRestart : CloseCode.normal;
    logStreamEnd(this.#log, session, code, results);
  }
}
