/** What a client that wants to do harm sends: nearly right messages, in any order, and requests. */
import * as fc from "fast-check";
import { clientFrame, compressedFrame, Opcode } from "../client-frames.ts";
import { documents, operations, soundOperations, values, type Known } from "./documents.ts";

/** Bytes that a client sends in one piece. */
export interface Input {
  readonly frame: Buffer;
  /** Characters that the gateway has to read: more than the frame has where it is compressed. */
  readonly length: number;
}

const OPENINGS = ["acknowledged", "eager", "wrong", "none"] as const;

/** One connection, from its opening to its end. */
export interface Conversation {
  /** `eager` does not wait for `connection_ack`, `wrong` sends a wrong `connection_init`, `none` sends none. */
  readonly opening: (typeof OPENINGS)[number];
  /** The payload of a wrong `connection_init`. */
  readonly payload: unknown;
  /** Which of the users. */
  readonly user: number;
  readonly clientId: string | undefined;
  /** None of them ends an acknowledged connection. */
  readonly inputs: readonly Input[];
  /** Whatever a client may send: most of it ends the connection. */
  readonly last: Buffer | undefined;
  /** `vanish` breaks the connection off while operations are running. */
  readonly ending: "close" | "end" | "vanish";
  /** Whether the client comes back, and sends the same. */
  readonly comesBack: boolean;
}

type Step =
  | { readonly kind: "subscribe"; readonly payload: object; readonly which: number }
  | { readonly kind: "complete"; readonly which: number }
  | { readonly kind: "message"; readonly message: object }
  | { readonly kind: "control"; readonly opcode: number; readonly bytes: Uint8Array };

const which = fc.nat(0xffff);

function steps(known: Known): fc.Arbitrary<Step> {
  const payload = fc.constantFrom(undefined, null, {}, { a: "x".repeat(2000) });
  return fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({ kind: fc.constant("subscribe" as const), payload: soundOperations(known), which }),
    },
    { weight: 9, arbitrary: fc.record({ kind: fc.constant("complete" as const), which }) },
    {
      weight: 1,
      arbitrary: fc
        .record({ type: fc.constantFrom("ping", "pong"), payload })
        .map((message) => ({ kind: "message" as const, message })),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("control" as const),
        opcode: fc.constantFrom(Opcode.ping, Opcode.pong),
        bytes: fc.uint8Array({ maxLength: 125 }),
      }),
    },
  );
}

/** How a message is put into frames. */
const ENCODINGS = ["plain", "plain", "plain", "plain", "plain", "plain", "compressed", "halves"] as const;
type Encoding = (typeof ENCODINGS)[number];

function encode(text: string, encoding: Encoding, isCompressed: boolean): Buffer {
  if (encoding === "halves") return halves(text);
  return encoding === "compressed" && isCompressed ? compressedFrame(text) : clientFrame(text);
}

/** A message in two frames, a ping between them. */
function halves(payload: string): Buffer {
  const bytes = Buffer.from(payload);
  const middle = bytes.length >> 1;
  return Buffer.concat([
    clientFrame(bytes.subarray(0, middle), { final: false }),
    clientFrame("between", { opcode: Opcode.ping }),
    clientFrame(bytes.subarray(middle), { opcode: Opcode.continuation }),
  ]);
}

/** Gives operations ids: an id is used again only where its operation was completed, since otherwise the connection is closed. */
function toInputs(sequence: readonly (readonly [Step, Encoding])[], isCompressed: boolean): Input[] {
  const open: string[] = [];
  const completed: string[] = [];
  return sequence.map(([step, encoding], index) => {
    if (step.kind === "control") {
      const frame = clientFrame(Buffer.from(step.bytes), { opcode: step.opcode });
      return { frame, length: frame.length };
    }
    const text = JSON.stringify(messageOf(step, index, open, completed));
    return { frame: encode(text, encoding, isCompressed), length: text.length };
  });
}

function messageOf(
  step: Exclude<Step, { kind: "control" }>,
  index: number,
  open: string[],
  completed: string[],
): object {
  if (step.kind === "message") return step.message;
  const { which: choice } = step;
  if (step.kind === "complete") {
    const [id] = choice % 8 === 0 ? [] : open.splice(choice % Math.max(open.length, 1), 1);
    if (id !== undefined) completed.push(id);
    return { type: "complete", id: id ?? completed[0] ?? "unknown" };
  }
  const [again] = choice % 4 === 0 ? completed.splice(choice % Math.max(completed.length, 1), 1) : [];
  // Of those with a long id a client may come back for what it has missed.
  const id = again ?? (choice % 2 ? `${index}` : `${index}-of-a-long-enough-id`);
  open.push(id);
  return { type: "subscribe", id, payload: step.payload };
}

/** @param maxInputs that one connection sends. */
export function conversations(known: Known, isCompressed: boolean, maxInputs: number): fc.Arbitrary<Conversation> {
  const sequence = fc.array(fc.tuple(steps(known), fc.constantFrom(...ENCODINGS)), {
    minLength: Math.floor(maxInputs / 4),
    maxLength: maxInputs,
  });
  return fc.record({
    opening: fc.oneof(
      { weight: 12, arbitrary: fc.constant(OPENINGS[0]) },
      { weight: 1, arbitrary: fc.constantFrom(...OPENINGS) },
    ),
    payload: values,
    user: fc.nat(1),
    clientId: fc.constantFrom(undefined, "fuzz-1", "fuzz-2"),
    inputs: sequence.map((some) => toInputs(some, isCompressed)),
    last: fc.option(frames(known, isCompressed), { nil: undefined, freq: 2 }),
    ending: fc.constantFrom("close", "end", "vanish"),
    comesBack: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  });
}

function cut(whole: string, at: number): string {
  return whole.slice(0, at % (whole.length + 1));
}

function texts(known: Known): fc.Arbitrary<string> {
  const ids = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("1", "2", "3", "0-of-a-long-enough-id") },
    {
      weight: 1,
      arbitrary: fc.constantFrom("", "__proto__", "constructor", "é".repeat(128), "x".repeat(129), null, 1, {}),
    },
  );
  const payload = values;
  const messages = fc.oneof(
    { weight: 8, arbitrary: fc.record({ id: ids, type: fc.constant("subscribe"), payload: operations(known) }) },
    { weight: 2, arbitrary: fc.record({ id: ids, type: fc.constant("complete") }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constantFrom("ping", "pong"), payload }, { requiredKeys: ["type"] }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("connection_init"), payload }) },
    {
      weight: 1,
      arbitrary: fc.record(
        {
          id: ids,
          type: fc.constantFrom("next", "error", "connection_ack", "start", "constructor", 1, null),
          payload,
        },
        { requiredKeys: [] },
      ),
    },
  );
  return fc.oneof(
    { weight: 12, arbitrary: messages.map((message) => JSON.stringify(message)) },
    { weight: 1, arbitrary: fc.tuple(messages, fc.nat()).map(([message, at]) => cut(JSON.stringify(message), at)) },
    { weight: 1, arbitrary: fc.string({ maxLength: 30 }) },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 1, max: 20_000 })
        .map((depth) => `{"type":"ping","payload":${"[".repeat(depth)}${"]".repeat(depth)}}`),
    },
  );
}

/** Anything, frames that no library would send among it. */
function frames(known: Known, isCompressed: boolean): fc.Arbitrary<Buffer> {
  const text = texts(known);
  const control = fc.tuple(fc.constantFrom(Opcode.close, Opcode.ping, Opcode.pong), fc.uint8Array({ maxLength: 130 }));
  const bytes = fc.uint8Array({ maxLength: 60 }).map((some) => Buffer.from(some));
  return fc.oneof(
    { weight: 12, arbitrary: text.map((payload) => clientFrame(payload)) },
    { weight: isCompressed ? 6 : 1, arbitrary: text.map(compressedFrame) },
    { weight: 1, arbitrary: text.map(halves) },
    { weight: 1, arbitrary: bytes.map((some) => clientFrame(some)) },
    { weight: 1, arbitrary: control.map(([opcode, some]) => clientFrame(Buffer.from(some), { opcode })) },
    { weight: 1, arbitrary: bytes },
    { weight: 1, arbitrary: bytes.map((some) => clientFrame(some, { compressed: true })) },
  );
}

/** A request to the GraphQL endpoint. */
export interface HostileRequest extends RequestInit {
  readonly search: string;
  readonly isAuthenticated: boolean;
}

export function requests(known: Known): fc.Arbitrary<HostileRequest> {
  const operation = operations(known);
  return fc
    .record({
      isAuthenticated: fc.oneof(
        { weight: 4, arbitrary: fc.constant(true) },
        { weight: 1, arbitrary: fc.constant(false) },
      ),
      method: fc.constantFrom("POST", "POST", "POST", "GET"),
      type: fc.constantFrom(
        "application/json",
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "",
      ),
      accept: fc.constantFrom(
        "application/json",
        "application/graphql-response+json",
        "text/event-stream",
        "*/*",
        "no",
      ),
      body: fc.oneof(
        { weight: 8, arbitrary: operation.map((some) => JSON.stringify(some)) },
        { weight: 1, arbitrary: fc.array(operation, { maxLength: 3 }).map((batch) => JSON.stringify(batch)) },
        { weight: 1, arbitrary: fc.tuple(operation, fc.nat()).map(([some, at]) => cut(JSON.stringify(some), at)) },
        { weight: 1, arbitrary: fc.string({ maxLength: 40 }) },
      ),
      query: documents,
    })
    .map(({ isAuthenticated, method, type, accept, body, query }) =>
      method === "GET"
        ? {
            isAuthenticated,
            method,
            headers: { accept },
            search: `?${new URLSearchParams({ query: query.slice(0, 2000).toWellFormed() }).toString()}`,
          }
        : {
            isAuthenticated,
            method,
            headers: { accept, ...(type !== "" && { "content-type": type }) },
            body,
            search: "",
          },
    );
}
