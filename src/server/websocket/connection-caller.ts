import { hash } from "node:crypto";
import type { SubscribePayload } from "graphql-ws";
import type { Me } from "../../chat/model.ts";
import type { Session } from "../../chat/session.ts";
import type { ResumePoint } from "../../recovery/resume.ts";
import type { Resumable } from "../../fanout/subscriptions.ts";
import { GatewayError } from "../../errors.ts";
import type { Caller } from "../../graphql/context.ts";
import type { Connection } from "./connection.ts";

/** A `subscribe` message, but for its type: a stock client that comes back for a subscription repeats it. */
export interface SubscribeRequest {
  readonly id: string;
  readonly payload: Pick<SubscribePayload, "query" | "operationName" | "variables">;
}

/** The caller of one operation on a connection. An object of a class, not one with closures: every running subscription keeps one. */
export class ConnectionCaller implements Caller, Resumable {
  readonly #connection: Connection;
  readonly #isSubscription: boolean;
  readonly #request: SubscribeRequest;
  #point: ResumePoint | undefined;
  #isReleased = false;
  /** Whether it was the client that ended it, and not the end of its connection: then it will not come back for it. */
  #isUnwanted = false;

  constructor(connection: Connection, isSubscription: boolean, request: SubscribeRequest) {
    this.#connection = connection;
    this.#isSubscription = isSubscription;
    this.#request = request;
  }

  get resumable(): Resumable | undefined {
    return this.#isSubscription ? this : undefined;
  }

  async session(): Promise<Session> {
    const { session } = this.#connection;
    if (!session) throw new GatewayError("UNAUTHENTICATED");
    if (session.ended) throw session.ended;
    return session;
  }

  identity(): Promise<Session> {
    return this.session();
  }

  async refresh(token: string): Promise<Me> {
    return this.#connection.refresh(await this.session(), token);
  }

  /** The user is in it: nobody resumes what is another's. */
  key(): string {
    const { id, payload } = this.#request;
    const { query, operationName, variables } = payload;
    const userId = this.#connection.session?.user.id;
    return hash("sha256", JSON.stringify([userId, id, query, operationName, variables]), "base64url");
  }

  hold(point: ResumePoint): void {
    this.#point = point;
    this.#connection.hold(point);
    // The client has gone, or wants no more, while the subscription was being opened.
    if (this.#isReleased) this.#connection.letGo(point, this.#isUnwanted);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    // What ends with its session or its socket the client will ask for again; but not what it completed just before, while that was
    // still being opened.
    const { isOpen, session, inbox } = this.#connection;
    this.#isUnwanted = (isOpen && !session?.ended) || inbox?.isCompleted(this.#request.id) === true;
    if (this.#point) this.#connection.letGo(this.#point, this.#isUnwanted);
    this.#connection.release(this.#isSubscription);
  }
}
