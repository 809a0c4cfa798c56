/** What a topic has missed: out of the log, or, where the log has lost it, from the instances and from the topic's listeners. */
import type { Counts } from "../../../measures.ts";
import { BusUnavailable, type BusOptions, type GapOutcome } from "../../bus.ts";
import type { Past } from "../../catch-up.ts";
import { earlier, latest, type Position } from "../../position.ts";
import type { Restoration } from "../restoration.ts";
import type { RedisLog, RedisLogPage } from "./log.ts";
import type { RedisPublisher } from "./publisher.ts";
import type { RecentEvents } from "./recent-events.ts";
import type { RedisTopic, TopicEntry } from "./topic.ts";

export interface PastParts<Event> {
  readonly options: Pick<BusOptions<Event>, "idOf">;
  readonly log: RedisLog<Event>;
  readonly recent: RecentEvents<Event>;
  readonly publisher: RedisPublisher<Event>;
  readonly restoration: Pick<Restoration, "met" | "restored">;
  readonly gaps: Counts<GapOutcome>;
}

export class TopicPast<Event> {
  readonly #parts: PastParts<Event>;

  constructor(parts: PastParts<Event>) {
    this.#parts = parts;
  }

  /** Everything on the topic after that position. Rejects with BusUnavailable. */
  async read(topic: RedisTopic<Event>, after: Position, seen: Position | undefined): Promise<Past<TopicEntry<Event>>> {
    const { log, restoration } = this.#parts;
    const page = await log.page(topic.name, after);
    restoration.met(page.epoch, false);
    topic.epoch ??= page.epoch;
    const { dropped } = topic;
    if (page.epoch === topic.epoch && after >= page.since && topic.recovered === dropped) {
      if (page.entries.length > 0) this.#parts.gaps.add("log");
      return { entries: entriesOf(topic, page), readTo: latest(seen, latest(page.last, after)) };
    }
    // Whatever is in the log of another process of Redis is new here, whenever it was published.
    const from = page.epoch !== topic.epoch && page.since < after ? page.since : after;
    const restored = await this.#readRestored(topic, page, from);
    const { found, outcome } = await this.#recover(topic, after, restored);
    // With what was added to the log meanwhile.
    const whole = await log.page(topic.name, from);
    // Another process of Redis again, or so much was published meanwhile that what came first is gone: from the beginning.
    if (whole.epoch !== page.epoch || whole.since > restored.present) throw new BusUnavailable();
    if (topic.epoch !== whole.epoch) topic.completeTo = latest(topic.completeTo, after);
    topic.epoch = whole.epoch;
    topic.recovered = dropped;
    this.#parts.gaps.add(outcome);
    const entries = [page, restored, whole].flatMap((each) => entriesOf(topic, each));
    // What was read first may have been trimmed since.
    const distinct = new Map([...found, ...entries].map((entry) => [entry.position, entry]));
    return { entries: [...distinct.values()], readTo: latest(seen, latest(whole.last, after)) };
  }

  /** Reads the log once every instance has published again what a former process of Redis had; `page` where there was none. */
  async #readRestored(
    topic: RedisTopic<Event>,
    page: RedisLogPage<Event>,
    from: Position,
  ): Promise<RedisLogPage<Event>> {
    const { log, publisher, restoration } = this.#parts;
    if (page.epoch === topic.epoch) return page;
    await publisher.drained(topic.name);
    await restoration.restored();
    return log.page(topic.name, from);
  }

  /**
   * The log does not have everything after that position. What this instance has published, and what the listeners find elsewhere, is added
   * to it. Resolves to what the log had once and has no more, and whether that is all.
   */
  async #recover(
    topic: RedisTopic<Event>,
    after: Position,
    { epoch, delayMs, entries }: RedisLogPage<Event>,
  ): Promise<{ readonly found: readonly TopicEntry<Event>[]; readonly outcome: GapOutcome }> {
    const { log, publisher, recent, options } = this.#parts;
    const { name } = topic;
    const isOfOtherEpoch = epoch !== topic.epoch;
    const logged = new Set(entries.map(({ event }) => options.idOf(event)));
    const isKnown = (event: Event): boolean => {
      const id = options.idOf(event);
      return logged.has(id) || recent.has(name, id);
    };
    // Published here, and pushed out of the log before it came back.
    const own = recent.undelivered(name).filter(({ event }) => !logged.has(options.idOf(event)));
    // What is missing may have come about long before it was published. The instances have told a new process of Redis of that.
    const asked = await topic.askListeners(
      earlier(after, isOfOtherEpoch ? await log.delayAfter(name, after) : delayMs),
      isKnown,
    );
    const unseen = [...own, ...asked.found.filter(({ event }) => !isKnown(event))];
    // Published again, what was delivered long ago would push newer events out of the log.
    const ids = unseen.map(({ event }) => options.idOf(event));
    const known = isOfOtherEpoch ? await log.positionsOf(name, ids) : [];
    const found = unseen.filter((_, index) => isAfter(known[index], after));
    // What was dropped comes after what waited, as connected listeners have received it. Of what another process of Redis had only the
    // time is known.
    const positions = await publisher.recover(name, found, isOfOtherEpoch && topic.recovered === topic.dropped);
    const lost = found.flatMap(({ event }, index) => {
      const position = positions[index];
      // What is older was delivered, or published before anybody listened.
      return position !== undefined && position > after
        ? [{ topic: name, event, position, order: position, restoredFrom: undefined }]
        : [];
    });
    return { found: lost, outcome: asked.isWhole ? "history" : "expired" };
  }
}

function entriesOf<Event>({ name }: RedisTopic<Event>, { entries }: RedisLogPage<Event>): TopicEntry<Event>[] {
  return entries.map((entry) => ({ topic: name, ...entry }));
}

/** Whether an event is after a position, as far as is known. */
function isAfter(position: Position | undefined, after: Position): boolean {
  return position === undefined || position > after;
}
