/** How one type of event is defined. Each type has a module of its own beside this one; the registry lists them. */
import { z } from "zod";
import type { Compaction } from "../../bus/bus.ts";
import type { Position } from "../../bus/position.ts";
import type { Cursors } from "../cursor.ts";
import type { UNKNOWN_CHATS_TOPIC, USERS_TOPIC } from "./topics.ts";

/** `chat`: the topic of the event's chat. The others are topics themselves, to which every instance listens. */
export type TopicName = "chat" | typeof USERS_TOPIC | typeof UNKNOWN_CHATS_TOPIC;

/** `subscribers`: subscriptions deliver it to clients. `instances`: it only changes what each instance knows. */
export type Recipients = "subscribers" | "instances";

/** A zod object with the properties of `Shape`, the event's name as its `type`, and what every event may have. */
type Schema<Name extends string, Shape extends z.ZodRawShape> = z.ZodObject<
  { type: z.ZodLiteral<Name>; traceparent: typeof traceparent } & Shape
>;

/** The span that published the event, where its trace is exported. */
const traceparent = z.string().optional();

type Defined<Name extends string, Shape extends z.ZodRawShape> = Readonly<z.output<Schema<Name, Shape>>>;

/** The event that a definition defines. */
export type EventFrom<Definition extends { readonly schema: z.ZodType }> = Readonly<z.output<Definition["schema"]>>;

export interface Description<
  Name extends string,
  Shape extends z.ZodRawShape,
  Topic extends TopicName,
  To extends Recipients,
> {
  /** Its `type`, on the bus and in code. */
  readonly name: Name;
  /** The properties beside `type`. What another instance sends is checked against it. */
  readonly shape: Shape;
  /** Only an event with a `chatId` can go to the topic of its chat. */
  readonly topic: Topic & ("chatId" extends keyof Shape ? TopicName : Exclude<TopicName, "chat">);
  readonly recipients: To;
  /** A copy that carries the event's position in the log, where subscribers need it. */
  withPosition?(event: Defined<Name, Shape>, position: Position): Defined<Name, Shape>;
  /** From where a subscription goes on that has delivered the event last, where clients can say so. */
  cursor?(event: Defined<Name, Shape>, cursors: Cursors): string;
}

/** Kept in the topic's log for whoever misses it. */
export interface Durable<Event> {
  readonly kind: "durable";
  /** How it takes the place of earlier events in the log, where it does. */
  compaction?(event: Event): Compaction;
  /** When it came about, in milliseconds since the epoch, where it says so. */
  time?(event: Event): number;
  /** What the event is known by on its topic: published again under the same id within ten minutes, it is not delivered again. */
  id(event: Event): string;
}

/** About a state that can be read again; not worth delivering late. */
export interface Transient {
  readonly kind: "transient";
}

/** Defines a type of event. The compiler refuses a durable event without an id, and a chat's event without a `chatId`. */
export function defineEvent<
  const Name extends string,
  Shape extends z.ZodRawShape,
  const Topic extends TopicName,
  const To extends Recipients,
>(
  definition: Description<Name, Shape, Topic, To> & Durable<Defined<Name, Shape>>,
): Description<Name, Shape, Topic, To> & Durable<Defined<Name, Shape>> & { readonly schema: Schema<Name, Shape> };
export function defineEvent<
  const Name extends string,
  Shape extends z.ZodRawShape,
  const Topic extends TopicName,
  const To extends Recipients,
>(
  definition: Description<Name, Shape, Topic, To> & Transient,
): Description<Name, Shape, Topic, To> & Transient & { readonly schema: Schema<Name, Shape> };
export function defineEvent<Name extends string, Shape extends z.ZodRawShape>(
  definition: Description<Name, Shape, TopicName, Recipients> & (Durable<Defined<Name, Shape>> | Transient),
): object {
  return { ...definition, schema: z.object({ type: z.literal(definition.name), traceparent, ...definition.shape }) };
}
