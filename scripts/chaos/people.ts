/** Who is connected while things break: who talks, who listens, who comes and goes, and who watches them. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { print } from "graphql";
import type { DemoUser } from "../../src/dev/data.ts";
import { connect, ResultErrors, type TestClient } from "../../tests/support/client.ts";
import {
  ChatDocument,
  MeDocument,
  PresenceChangedDocument,
  type PresenceChangedSubscription,
} from "../../tests/support/generated/graphql.ts";
import { goodbye, History, STUBBORN, type Listener, type Talker } from "../../tests/support/history.ts";
import type { Instances } from "../../tests/support/instances.ts";
import type { Random } from "./random.ts";

/** Longer than it takes until a client has confirmed what it received. */
const CONFIRMATION_MS = 1500;

/** Each instance, and the load balancer. */
const PLACES = 4;

/** What one watcher has been told. */
interface Watcher {
  readonly name: string;
  readonly client: TestClient;
  readonly online: Map<string, boolean>;
}

export class People implements AsyncDisposable {
  readonly history = new History();
  readonly listeners: Listener[] = [];
  /** Sends that were answered with an error, and repeated. */
  refusals = 0;
  /** What was seen and must not be. */
  readonly #complaints: string[] = [];
  readonly #instances: Instances;
  readonly #random: Random;
  readonly #stack = new AsyncDisposableStack();
  readonly #talkers: Talker[] = [];
  readonly #watchers: Watcher[] = [];
  /** Has a device on each instance, all the time. */
  readonly #steady: DemoUser;
  readonly #guests: readonly DemoUser[];
  /** Each writes at one place alone, in the order of which nothing may go wrong. */
  readonly #writers: readonly DemoUser[];
  readonly #present = new Map<string, TestClient>();
  readonly #chatId: string;

  private constructor(instances: Instances, random: Random) {
    this.#instances = instances;
    this.#random = random;
    const newcomer = (name: string): DemoUser => instances.api.data.createUser({ name, token: randomUUID() });
    this.#steady = newcomer("Steady");
    this.#guests = ["Guest 1", "Guest 2", "Guest 3"].map(newcomer);
    this.#writers = Array.from({ length: 2 * PLACES }, (_, n) => newcomer(`Writer ${n + 1}`));
    const participants = [this.#steady, ...this.#guests, ...this.#writers].map(({ id }) => id);
    this.#chatId = instances.api.data.createChat({ participants }).id;
    this.#stack.use(this.history);
  }

  /** Resolves when everybody is there. */
  static async gather(instances: Instances, random: Random): Promise<People> {
    const people = new People(instances, random);
    await people.#admit();
    return people;
  }

  /** Everybody talks, and guests come and go, until the promise is resolved. */
  async liveUntil(end: Promise<void>): Promise<void> {
    const day = { isOver: false };
    const over = (): void => void (day.isOver = true);
    end.then(over, over);
    const talk = async (talker: Talker): Promise<void> => {
      while (!day.isOver) {
        await this.#say(talker);
        await sleep(this.#random.between(0, 150));
      }
    };
    const visit = async (): Promise<void> => {
      while (!day.isOver) {
        await this.#comeOrGo();
        await sleep(this.#random.between(100, 1500));
      }
    };
    await Promise.all([...this.#talkers.map(talk), visit()]);
  }

  /** Resolves when everybody has received what was sent so far, and the gateways know it. */
  async confirmed(patienceMs: number): Promise<void> {
    await this.history.complete(patienceMs);
    await sleep(CONFIRMATION_MS);
  }

  /** Nothing breaks any more. Resolves when everything has come right, or has not in time, to what is wrong beside the delivery. */
  async settle(patienceMs: number): Promise<readonly string[]> {
    await this.history.complete(patienceMs);
    await Promise.all(this.#talkers.map((talker) => this.#sayInTheEnd(talker)));
    await this.history.complete(patienceMs);
    const presence = await this.#presenceFaults(patienceMs);
    return [...presence, ...this.#complaints];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** Resolves to whether it was answered. */
  async #say(talker: Talker): Promise<boolean> {
    try {
      await talker.say();
      return true;
    } catch (error) {
      // As an application does, it sends the same once more.
      if (!isPassing(error)) this.#complaints.push(`a send was refused: ${String(error)}`);
      this.refusals++;
      return false;
    }
  }

  async #sayInTheEnd(talker: Talker): Promise<void> {
    while (!(await this.#say(talker))) await sleep(200);
  }

  async #admit(): Promise<void> {
    const { all, wsUrl: balanced } = this.#instances;
    const places = [
      ...all.map(({ wsUrl }, index) => [`instance ${index}`, wsUrl] as const),
      ["balancer", balanced],
    ] as const;
    for (const [index, [name, wsUrl]] of places.entries()) {
      this.listeners.push(await this.history.listen(`listener at ${name}`, wsUrl, this.#steady.token, [this.#chatId]));
      for (const [nth, { token }] of this.#writers.slice(2 * index, 2 * index + 2).entries()) {
        const talker = `${["talker", "second talker"][nth]} at ${name}`;
        this.#talkers.push(this.history.talker(talker, wsUrl, token, this.#chatId));
      }
    }
    for (const [name, wsUrl] of places.slice(0, 3)) await this.#watch(name, wsUrl);
  }

  async #watch(place: string, wsUrl: string): Promise<void> {
    const token = this.#guests[0]?.token ?? "";
    const client = this.#connect(wsUrl, token);
    const online = new Map<string, boolean>();
    const name = `watcher at ${place}`;
    // The users who are online come first: all others are offline.
    client.client.on("connected", () => online.clear());
    const stop = client.client.subscribe<PresenceChangedSubscription>(
      { query: print(PresenceChangedDocument) },
      {
        next: ({ data }) => {
          if (!data) return;
          const { user, online: isOnline } = data.presenceChanged;
          online.set(user.id, isOnline);
          if (user.id === this.#steady.id && !isOnline) this.#complaints.push(`${name}: Steady was offline`);
        },
        error: (error) => this.#complaints.push(`${name} ended: ${JSON.stringify(error)}`),
        complete: () => undefined,
      },
    );
    this.#stack.defer(() => stop());
    await client.run(MeDocument);
    this.#watchers.push({ name, client, online });
  }

  /** One guest, who is not among the watchers. */
  async #comeOrGo(): Promise<void> {
    const guest = this.#random.pick([1, 2] as const);
    const { id = "", token = "" } = this.#guests[guest] ?? {};
    const client = this.#present.get(id);
    if (client) {
      this.#present.delete(id);
      await goodbye(client);
      return;
    }
    const { wsUrl } = this.#random.pick(this.#instances.all);
    this.#present.set(id, this.#connect(wsUrl, token));
  }

  #connect(wsUrl: string, token: string): TestClient {
    const client = connect(wsUrl, token, STUBBORN);
    this.#stack.defer(() => goodbye(client));
    return client;
  }

  /** Whether everybody, on whichever instance, has been told of who is there, and finds them when asking. */
  async #presenceFaults(patienceMs: number): Promise<readonly string[]> {
    const until = performance.now() + patienceMs;
    for (;;) {
      const faults = (await Promise.all(this.#watchers.map((watcher) => this.#compare(watcher)))).flat();
      if (faults.length === 0 || performance.now() > until) return faults;
      await sleep(100);
    }
  }

  async #compare({ name, client, online }: Watcher): Promise<readonly string[]> {
    const { chat } = await client.run(ChatDocument, { id: this.#chatId });
    const found = new Map(chat.presence.map((presence) => [presence.user.id, presence.online]));
    return [this.#steady, ...this.#guests.slice(1)].flatMap((user) => {
      const truth = user === this.#steady || this.#present.has(user.id);
      const told = online.get(user.id) ?? false;
      return [
        ...(told === truth ? [] : [`${name}: was told that ${user.name} is ${told ? "online" : "offline"}`]),
        ...(found.get(user.id) === truth ? [] : [`${name}: finds ${user.name} ${truth ? "offline" : "online"}`]),
      ];
    });
  }
}

/** Whether the REST API, on a core that it has to share, was too slow, which no gateway can help. */
function isPassing(error: unknown): boolean {
  return error instanceof ResultErrors && ["UPSTREAM_TIMEOUT", "UPSTREAM_UNAVAILABLE"].includes(String(error.code));
}
