/** The connections of one user, on every instance. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { boundedWait } from "../../bounded.ts";
import { whereReachable, type Bus, type Unsubscribe } from "../../bus/bus.ts";
import type { BackendEvents } from "../../chat/backend-events.ts";
import type { Directory } from "../../chat/directory.ts";
import type { BusEvent } from "../../chat/events/registry.ts";
import { USERS_TOPIC } from "../../chat/events/topics.ts";
import type { Session } from "../../chat/session.ts";
import type { Sessions } from "../../chat/sessions.ts";
import type { Log } from "../../log.ts";
import type { WebSockets } from "../websocket/websocket.ts";

/** How long the other instances are waited for. */
const ANSWER_MS = 1000;

/** How often it is looked whether they have answered. */
const POLL_MS = 25;

/** Looks that Redis answers at least, so that a busy machine does not give up faster than it works. */
const MIN_LOOKS = 10;

/** How long their answers are kept for who asked. */
const KEPT_MS = 10_000;

/** How long the answer to a sign-out waits for its publication, which goes on however long that takes. */
const PUBLISHING_MS = 2000;

const connection = z.object({
  instance: z.string(),
  connectionId: z.string(),
  transport: z.enum(["websocket", "sse"]),
  openedAt: z.string(),
  /** Events that were written to it; unknown for SSE. */
  delivered: z.number().nullable(),
  /** Its client does not read what was sent. */
  isLagging: z.boolean(),
  /** `chatId` is null for a subscription to all chats. */
  subscriptions: z.array(z.object({ event: z.string(), chatId: z.string().nullable() })),
});

type UserConnection = z.output<typeof connection>;

const answerShape = z.object({ instance: z.string(), connections: z.array(connection) });

/** What is known of a user. */
export interface UserReport {
  readonly userId: string;
  readonly connections: readonly UserConnection[];
  /** Instances that did not answer: the user may be connected to them as well. */
  readonly unanswered: readonly string[];
}

export interface UsersParts {
  readonly bus: Bus<BusEvent>;
  readonly directory: Directory;
  readonly sessions: Sessions;
  readonly webSockets: WebSockets;
  readonly backendEvents: BackendEvents;
  readonly instanceName: string;
  /** The names of all instances, this one included. */
  readonly instances: () => Promise<readonly string[]>;
  readonly log: Log;
}

export class Users {
  readonly #parts: UsersParts;
  #unsubscribe: Unsubscribe | undefined;

  constructor(parts: UsersParts) {
    this.#parts = parts;
  }

  /** Resolves when other instances are answered. */
  async start(): Promise<void> {
    const { bus, log } = this.#parts;
    this.#unsubscribe = await bus.subscribe(USERS_TOPIC, {
      receive: (event) => {
        if (event.type !== "user.lookup") return;
        this.#answer(event.requestId, event.userId).catch((error: unknown) =>
          log.warn({ err: error }, "another instance could not be told of a user's connections"),
        );
      },
    });
  }

  async close(): Promise<void> {
    await this.#unsubscribe?.();
  }

  /** Asks every instance, and waits about a second at most. */
  async find(userId: string): Promise<UserReport> {
    const { instanceName } = this.#parts;
    const requestId = randomUUID();
    const others = (await this.#parts.instances()).filter((name) => name !== instanceName);
    const answers = others.length === 0 ? [] : await this.#ask(requestId, userId, others);
    const answered = new Set(answers.map(({ instance }) => instance));
    const connections = answers.filter(({ instance }) => instance !== instanceName).flatMap((one) => one.connections);
    return {
      userId,
      connections: [...this.#own(userId), ...connections],
      unanswered: others.filter((name) => !answered.has(name)),
    };
  }

  /** Ends every session of the user, on every instance, with 4403 "Signed out". Resolves to what there was. */
  async signOut(userId: string): Promise<UserReport & { readonly isPublished: boolean }> {
    const { sessions, backendEvents } = this.#parts;
    const report = await this.find(userId);
    sessions.signOut(userId);
    const timestamp = new Date().toISOString();
    const published = backendEvents
      .accept(`admin-${randomUUID()}`, { type: "user.signed_out", timestamp, data: { userId } })
      .then(() => true);
    return { ...report, isPublished: await boundedWait(PUBLISHING_MS, whereReachable(published, false), false) };
  }

  async #ask(
    requestId: string,
    userId: string,
    others: readonly string[],
  ): Promise<readonly z.output<typeof answerShape>[]> {
    const { bus } = this.#parts;
    const deadline = performance.now() + ANSWER_MS;
    await boundedWait(ANSWER_MS, bus.publish(USERS_TOPIC, { type: "user.lookup", requestId, userId }), undefined);
    for (let looks = 1; ; looks++) {
      const sets = await whereReachable(bus.expiringSets.list([setOf(requestId)]), undefined);
      const answers = (sets?.[0] ?? []).flatMap((member) => answerShape.safeParse(member).data ?? []);
      const isComplete = others.every((name) => answers.some(({ instance }) => instance === name));
      const isLate = performance.now() > deadline && (sets === undefined || looks >= MIN_LOOKS);
      if (isComplete || isLate) return answers;
      await sleep(POLL_MS);
    }
  }

  async #answer(requestId: string, userId: string): Promise<void> {
    const { bus, instanceName: instance } = this.#parts;
    const answer = { instance, connections: this.#own(userId) };
    await bus.expiringSets.put(setOf(requestId), instance, answer, KEPT_MS);
  }

  #own(userId: string): UserConnection[] {
    const { directory, webSockets } = this.#parts;
    const sessions = directory.viewer(userId)?.sessions ?? [];
    const sockets = new Map(webSockets.connections.of(userId).map((socket) => [socket.session, socket]));
    return [...sessions].map((session) => this.#describe(session, sockets.get(session)));
  }

  #describe(
    session: Session,
    socket: { readonly delivered: number; readonly isLagging: boolean } | undefined,
  ): UserConnection {
    return {
      instance: this.#parts.instanceName,
      connectionId: session.id,
      transport: socket ? "websocket" : "sse",
      openedAt: new Date(session.openedAt).toISOString(),
      delivered: socket?.delivered ?? null,
      isLagging: socket?.isLagging ?? false,
      subscriptions: Array.from(session.subscriptions, ({ type, chatId }) => ({ event: type, chatId: chatId ?? null })),
    };
  }
}

function setOf(requestId: string): string {
  return `user-lookup:${requestId}`;
}
