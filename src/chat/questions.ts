/** What is asked of chats, and when. */
import type { ChatApi, WireChat } from "../upstream/chat-api.ts";
import type { Directory } from "./directory.ts";

/** An answer of the REST API, which is no older than `askedAt`, a mark of {@link Directory.now}. */
export interface Answered<T> {
  readonly answer: T;
  readonly askedAt: number;
}

/** Equal questions that overlap. */
interface Question {
  readonly askedAt: number;
  askers: number;
}

/**
 * Asks the REST API for chats. Equal requests of one token share an answer, which is as old as the first of them: all that overlap are taken to
 * have been asked for then, or their answer would undo a change that came in between.
 */
export class Questions {
  readonly #api: ChatApi;
  readonly #directory: Directory;
  /** By token, then by what is asked for. */
  readonly #underWay = new Map<string, Map<string, Question>>();

  constructor(api: ChatApi, directory: Directory) {
    this.#api = api;
    this.#directory = directory;
  }

  /** Every chat that the REST API lists. Rejects as {@link ChatApi} does. */
  chats(token: string): Promise<Answered<readonly WireChat[]>> {
    return this.#ask(token, "chats", () => this.#api.chats(token));
  }

  /** One chat's record. Rejects as {@link ChatApi} does. */
  chat(token: string, chatId: string): Promise<Answered<WireChat>> {
    // An API without records of single chats is asked for the list.
    const subject = this.#api.capabilities.chat ? `chat ${chatId}` : "chats";
    return this.#ask(token, subject, () => this.#api.chat(token, chatId));
  }

  /** What is asked for with this token from now on tells of everything that has happened by now. */
  askAnew(token: string): void {
    this.#api.detachReads(token);
    this.#underWay.delete(token);
  }

  async #ask<T>(token: string, subject: string, read: () => Promise<T>): Promise<Answered<T>> {
    const ofToken = this.#underWay.get(token) ?? new Map<string, Question>();
    const question = ofToken.get(subject) ?? { askedAt: this.#directory.now(), askers: 0 };
    question.askers++;
    this.#underWay.set(token, ofToken.set(subject, question));
    try {
      return { answer: await read(), askedAt: question.askedAt };
    } finally {
      question.askers--;
      if (question.askers === 0 && ofToken.get(subject) === question) ofToken.delete(subject);
      // After askAnew() another map may have taken this one's place.
      if (ofToken.size === 0 && this.#underWay.get(token) === ofToken) this.#underWay.delete(token);
    }
  }
}
