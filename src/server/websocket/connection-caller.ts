import { hash } from "node:crypto";
import { OperationTypeNode } from "graphql";
import type { ClientOrigin } from "../../call-origin.ts";
import type { Me } from "../../chat/model.ts";
import type { Session } from "../../chat/session.ts";
import type { ResumePoint } from "../../recovery/resume-point.ts";
import type { Resumable } from "../../fanout/subscriptions.ts";
import type { Caller } from "../../graphql/caller.ts";
import type { Operation } from "../../graphql/context.ts";
import type { Connection } from "./connection.ts";

/** Shorter ids may be numbers that every connection counts from 1. A UUID is longer in each of its usual forms. */
const MIN_UNIQUE_ID_LENGTH = 16;

/** The caller of one operation on a connection. An object of a class, not one with closures: every running subscription keeps one. */
export class ConnectionCaller implements Caller, Resumable {
  protected readonly connection: Connection;
  protected readonly operation: Operation;
  protected readonly id: string;
  #point: ResumePoint | undefined;
  #isReleased = false;
  /** Whether the client ended it, rather than the end of its connection: then the client will not come back for it. */
  #isUnwanted = false;

  /** @param operation which runs on the connection already. @param id of the `subscribe` message. */
  constructor(connection: Connection, operation: Operation, id: string) {
    this.connection = connection;
    this.operation = operation;
    this.id = id;
  }

  get #isSubscription(): boolean {
    return this.operation.type === OperationTypeNode.SUBSCRIPTION;
  }

  /** Undefined where the id may be in use on another connection as well: a position kept under it would be anybody's. */
  get resumable(): Resumable | undefined {
    const isUnique = this.connection.clientId !== undefined || this.id.length >= MIN_UNIQUE_ID_LENGTH;
    return this.#isSubscription && isUnique ? this : undefined;
  }

  /** A client of this transport changes `after`. */
  get lastEventId(): undefined {
    return undefined;
  }

  get client(): ClientOrigin {
    return this.connection.client;
  }

  get userId(): string | undefined {
    return this.connection.session?.user.id;
  }

  session(): Promise<Session> {
    return this.connection.identity();
  }

  identity(): Promise<Session> {
    return this.session();
  }

  async refresh(token: string): Promise<Me> {
    return this.connection.refresh(await this.session(), token);
  }

  /**
   * A stock client that comes back repeats the id and the payload, in which the app may have changed `after`. The user is in the key, so
   * that nobody resumes what is another's.
   */
  key(): string {
    const { document, operationName, variables = {}, startVariables } = this.operation;
    const others = Object.entries(variables).filter(([name]) => !startVariables.includes(name));
    const { session, clientId = null } = this.connection;
    const parts = [
      session?.user.id,
      clientId,
      this.id,
      document.loc?.source.body,
      operationName,
      Object.fromEntries(others),
    ];
    return hash("sha256", JSON.stringify(parts), "base64url");
  }

  get knowsExpiry(): boolean {
    return this.connection.points.knowsExpiry(this.key());
  }

  noteExpiry(): void {
    this.connection.points.noteExpiry(this.key());
    this.connection.noteStart("expired");
  }

  get isCompleted(): boolean {
    return this.connection.inbox.isCompleted(this.id);
  }

  get isConnected(): boolean {
    const { isOpen, session } = this.connection;
    return isOpen && !session?.ended;
  }

  get isWanted(): boolean {
    return this.isConnected && !this.isCompleted;
  }

  hold(point: ResumePoint): void {
    this.#point = point;
    this.connection.points.hold(point);
    // The client has gone, or wants no more, while the subscription was being opened.
    if (this.#isReleased) this.connection.points.letGo(point, this.#isUnwanted);
  }

  /** It has ended for a reason that passes: the client may ask for it again, and continues where it was. */
  protected suspend(): void {
    if (!this.#point || !this.isWanted) return;
    this.connection.points.suspend(this.#point);
    this.#point = undefined;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    // What ends with its session or its socket the client will ask for again; but not what it completed just before, while that was
    // still being opened.
    this.#isUnwanted = this.isConnected || this.isCompleted;
    if (this.#point) this.connection.points.letGo(this.#point, this.#isUnwanted);
    this.connection.running.release(this.operation);
  }
}
