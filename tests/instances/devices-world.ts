/** Devices of one user with counted and unique ids, and what each ought to receive: the model of the test beside this file. */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { Bus, FencedState } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { createTestBus } from "../support/bus.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import type { Visit } from "../support/returning-client.ts";
import { overHttp } from "../support/runner.ts";
import type { Transcript } from "../support/transcript.ts";
import { comeTo, follow } from "./following.ts";

const [alice, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

const PATIENTLY = { timeout: 15_000, interval: 5 };

const QUERY = `subscription ($chatId: ID, $after: String) { messageAdded(chatId: $chatId, after: $after) { content } }`;

/** One shorter than a UUID's shortest form is a number of the connection's own, for all that the gateway knows. */
const UNIQUE_LENGTH = 16;

/** What is wanted under one id of a device. Messages are known by when they were sent, from 0. */
export interface Operation {
  readonly id: string;
  /** The message after which the client asked to begin, which it says again when it comes back. */
  after: number | undefined;
  /** The first message that it may ever receive, until it begins anew. */
  origin: number;
  /** The first message that it has not received. */
  next: number;
  transcript: Transcript | undefined;
  state: "none" | "running" | "lost" | "expired";
}

export class Device {
  readonly clientId: string | undefined;
  readonly operations: readonly Operation[];
  visit: Visit | undefined;

  constructor(clientId: string | undefined) {
    this.clientId = clientId;
    this.operations = ["1", "2", randomUUID()].map((id) => ({
      id,
      after: undefined,
      origin: 0,
      next: 0,
      transcript: undefined,
      state: "none",
    }));
  }

  /** Whether a position is remembered for it. */
  isResumable({ id }: Operation): boolean {
    return this.clientId !== undefined || id.length >= UNIQUE_LENGTH;
  }
}

/** A store in which the test says when the time of every connection that is gone is over. */
class Windows {
  readonly #fenced: FencedState;
  readonly #windowMs: number;
  readonly #suspended = new Set<string>();
  readonly #expired = new Set<string>();

  constructor(fenced: FencedState, windowMs: number) {
    this.#fenced = fenced;
    this.#windowMs = windowMs;
  }

  pass(): void {
    for (const key of this.#suspended) this.#expired.add(key);
    this.#suspended.clear();
  }

  readonly fenced: FencedState = {
    take: async (key, owner, initial, ttlMs, tombstoneMs, isWanted) => {
      const taken = await this.#fenced.take(key, owner, initial, ttlMs, tombstoneMs, isWanted);
      this.#suspended.delete(key);
      if (!this.#expired.delete(key)) return taken;
      await this.#fenced.drop(key, owner);
      await this.#fenced.take(key, owner, undefined, ttlMs, tombstoneMs);
      return { status: "expired" };
    },
    put: async (key, owner, value, ttlMs, tombstoneMs) => {
      const isSet = await this.#fenced.put(key, owner, value, ttlMs, tombstoneMs);
      // While a connection is open its positions are kept longer.
      if (isSet && ttlMs === this.#windowMs) this.#suspended.add(key);
      return isSet;
    },
    putFirst: (...args) => this.#fenced.putFirst(...args),
    restore: (...args) => this.#fenced.restore(...args),
    drop: (key, owner) => this.#fenced.drop(key, owner),
  };
}

const WINDOW_MS = 600_000;

export class World implements AsyncDisposable {
  readonly devices = [new Device(undefined), new Device("phone"), new Device("tablet")];
  readonly cursors: string[] = [];
  readonly windows: Windows;
  readonly #gateways: readonly TestGateway[];
  readonly #stack: AsyncDisposableStack;

  private constructor(windows: Windows, gateways: readonly TestGateway[], stack: AsyncDisposableStack) {
    this.windows = windows;
    this.#gateways = gateways;
    this.#stack = stack;
  }

  static async start(): Promise<World> {
    await using starting = new AsyncDisposableStack();
    const memory = starting.adopt(createTestBus(), (opened) => opened.close());
    const windows = new Windows(memory.fenced, WINDOW_MS);
    const bus: Bus<BusEvent> = { ...memory, fenced: windows.fenced };
    const gateways: TestGateway[] = [];
    for (let index = 0; index < 2; index++) {
      const api = gateways[0] && { HTTP_API_URL: gateways[0].api.url };
      const environment = { RESUME_WINDOW: String(WINDOW_MS), ...api };
      gateways.push(starting.use(await startGateway(environment, { bus, statisticsIntervalMs: 10 })));
    }
    return new World(windows, gateways, starting.move());
  }

  /** Sends its number. */
  async send(instance: number): Promise<void> {
    const content = String(this.cursors.length);
    const { sendMessage } = await overHttp(this.#gateway(instance).url, bob.token).run(SendMessageDocument, {
      chatId: team,
      content,
    });
    this.cursors.push(sendMessage.cursor);
  }

  async connect(device: Device, instance: number): Promise<void> {
    if (device.visit) return;
    const params = device.clientId === undefined ? {} : { clientId: device.clientId };
    device.visit = await comeTo(this.#gateway(instance).wsUrl, alice.token, params);
    for (const operation of device.operations) {
      if (operation.state === "lost" || operation.state === "expired") await this.#comeBack(device, operation);
    }
  }

  async subscribe(device: Device, operation: Operation, after: number | undefined): Promise<void> {
    if (!device.visit || operation.state === "running") return;
    operation.after = after === undefined || this.cursors.length === 0 ? undefined : after % this.cursors.length;
    operation.origin = operation.after === undefined ? this.cursors.length : operation.after + 1;
    operation.next = operation.origin;
    await this.#follow(device, operation);
    expectRunning(operation);
  }

  async complete({ visit }: Device, operation: Operation): Promise<void> {
    if (!visit || operation.state !== "running") return;
    visit.socket.socket.send(JSON.stringify({ id: operation.id, type: "complete" }));
    await visit.handled();
    this.#conclude(operation, "none");
  }

  async cut(device: Device): Promise<void> {
    await this.#disconnect(device, (visit) => visit.drop(), "lost");
  }

  async sayGoodbye(device: Device): Promise<void> {
    await this.#disconnect(device, (visit) => visit.leave(1000), "none");
  }

  /** Everybody who is gone is too late. */
  pass(): void {
    this.windows.pass();
    for (const device of this.devices) {
      for (const operation of device.operations) if (operation.state === "lost") operation.state = "expired";
    }
  }

  /** Everybody who is here has everything, and nothing that it should not have. */
  async check(): Promise<void> {
    await this.send(0);
    const last = String(this.cursors.length - 1);
    for (const { operations } of this.devices) {
      for (const { transcript, state } of operations) {
        if (state === "running") await until(() => transcript?.all.at(-1), last);
      }
    }
    for (const { operations } of this.devices) for (const operation of operations) expectReceived(operation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { visit } of this.devices) await visit?.[Symbol.asyncDispose]();
    await this.#stack.disposeAsync();
  }

  #gateway(instance: number): TestGateway {
    return this.#gateways[instance] as TestGateway;
  }

  async #comeBack(device: Device, operation: Operation): Promise<void> {
    const isExpired = operation.state === "expired";
    await this.#follow(device, operation);
    if (operation.after !== undefined) {
      operation.next = operation.after + 1;
      operation.origin = operation.next;
    } else if (!device.isResumable(operation)) {
      operation.next = this.cursors.length;
      operation.origin = operation.next;
    } else if (isExpired) {
      await expectExpired(operation);
      operation.state = "none";
      await this.subscribe(device, operation, undefined);
    }
    expectRunning(operation);
  }

  async #follow({ visit }: Device, operation: Operation): Promise<void> {
    if (!visit) return;
    const after = operation.after === undefined ? {} : { after: this.cursors[operation.after] };
    operation.transcript = await follow(visit, operation.id, { query: QUERY, variables: { chatId: team, ...after } });
    operation.state = "running";
  }

  async #disconnect(device: Device, leave: (visit: Visit) => Promise<void>, state: "lost" | "none"): Promise<void> {
    const { visit } = device;
    if (!visit) return;
    // Who has come by now is in every count from here on.
    const before = this.#gateways.map(({ logged }) => logged.length);
    await leave(visit);
    device.visit = undefined;
    for (const operation of device.operations) if (operation.state === "running") this.#conclude(operation, state);
    // The gateway knows of it.
    const connected = this.devices.filter((other) => other.visit).length;
    await until(() => this.#connections(before), connected);
  }

  /** As the gateways have counted them last, after so many lines of their logs; NaN where one of them has not. */
  #connections(before: readonly number[]): number {
    const last = this.#gateways.map(({ logged }, index) =>
      logged.slice(before[index]).findLast(({ msg }) => msg === "statistics"),
    );
    return last.reduce((sum, line) => sum + Number(line?.["connections"]), 0);
  }

  #conclude(operation: Operation, state: "lost" | "none"): void {
    expectReceived(operation);
    const last = operation.transcript?.all.at(-1);
    if (last !== undefined) operation.next = Math.max(operation.next, Number(last) + 1);
    operation.state = state;
  }
}

/** Without a gap, from what it had not received, or from a little before that where it has come back. */
function expectReceived({ transcript, state, origin, next }: Operation): void {
  if (state !== "running" || !transcript) return;
  const received = transcript.all.map(Number);
  const [first = next] = received;
  expect(first).toBeGreaterThanOrEqual(origin);
  expect(first).toBeLessThanOrEqual(next);
  expect(received).toEqual(received.map((_, index) => first + index));
}

function expectRunning({ transcript }: Operation): void {
  expect(transcript?.ended).toBeUndefined();
}

async function expectExpired({ transcript }: Operation): Promise<void> {
  await until(() => transcript?.ended !== undefined, true);
  expect(transcript?.ended?.error).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
  expect(transcript?.all).toEqual([]);
}

async function until<Value>(read: () => Value, wanted: Value): Promise<void> {
  await expect.poll(read, PATIENTLY).toBe(wanted);
}
