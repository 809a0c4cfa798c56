import { GraphQLInt, GraphQLObjectType, GraphQLSchema } from "graphql";
import { describe, expect, test } from "vitest";
import { ERROR_CATALOGUE, GatewayError } from "../../src/errors.ts";
import type { Services } from "../../src/graphql/services.ts";
import { unlimitedOperations } from "../support/unlimited-operations.ts";
import { Operations } from "../../src/graphql/operations.ts";
import { recordingLog } from "../support/rest-chat-api.ts";

/** A source of numbers as a stream is one: `return` acts while `next` waits. */
class Source implements AsyncIterableIterator<number> {
  returned = 0;
  readonly #items: (number | Error)[];
  readonly #end = Promise.withResolvers<IteratorResult<number>>();

  /** What it gives one after the other; an error is thrown. Then it waits. */
  constructor(...items: (number | Error)[]) {
    this.#items = items;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<number>> {
    const item = this.returned > 0 ? undefined : this.#items.shift();
    if (item instanceof Error) throw item;
    return item === undefined ? this.#end.promise : { done: false, value: item };
  }

  async return(): Promise<IteratorResult<number>> {
    this.returned++;
    this.#end.resolve({ done: true, value: undefined });
    return { done: true, value: undefined };
  }
}

/** Operations of a schema whose one subscription field takes its numbers from `subscribe`, and cannot make anything of 13. */
function setUp(subscribe: () => unknown) {
  const { log, lines } = recordingLog();
  const resolve = (value: number): number => {
    if (value === 13) throw new TypeError("13 cannot be served");
    return value;
  };
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({
      name: "Query",
      fields: { number: { type: GraphQLInt, resolve: () => resolve(13) } },
    }),
    // Nullable: without care the result would be `null` beside an error, and the stream would go on.
    subscription: new GraphQLObjectType({
      name: "Subscription",
      fields: { number: { type: GraphQLInt, subscribe, resolve } },
    }),
  });
  const services = { operationLimit: unlimitedOperations() } as Services;
  const operations = new Operations({ schema, introspection: true, services, log });
  let released = 0;
  const nobody = (): Promise<never> => Promise.reject(new GatewayError("UNAUTHENTICATED"));
  const caller = {
    identity: nobody,
    session: nobody,
    refresh: nobody,
    resumable: undefined,
    lastEventId: undefined,
    client: undefined,
    userId: undefined,
    release: () => void released++,
  };
  const contextOf = (query: string) => {
    const operation = operations.prepare({ query }, caller);
    if (!("type" in operation)) throw new Error(`the document is wrong: ${String(operation[0]?.message)}`);
    return operations.context(operation, caller);
  };
  return {
    lines,
    released: () => released,
    execute: () => operations.execute(contextOf("{ number }")),
    subscribe: () => operations.subscribe(contextOf("subscription { number }")),
    /** A subscription that has started. */
    async started() {
      const results = await operations.subscribe(contextOf("subscription { number }"));
      if (!(Symbol.asyncIterator in results)) throw new Error("the subscription did not start");
      return results;
    },
  };
}

const INTERNAL = {
  message: ERROR_CATALOGUE.INTERNAL_SERVER_ERROR.message,
  extensions: { code: "INTERNAL_SERVER_ERROR", requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
};

describe("a subscription's results", () => {
  test("never carry errors: a defect ends the stream, masked, and is logged once", async () => {
    const source = new Source(1, 13, 2);
    const scene = setUp(() => source);
    const results = await scene.started();
    expect(await results.next()).toEqual({ done: false, value: { data: { number: 1 } } });
    const error: unknown = await results.next().catch((thrown: unknown) => thrown);
    expect(JSON.parse(JSON.stringify(error))).toEqual(INTERNAL);
    expect(await results.next()).toMatchObject({ done: true });
    expect(source.returned).toBeGreaterThan(0);
    expect(scene.released()).toBeGreaterThan(0);
    const { requestId } = (error as { extensions: { requestId: string } }).extensions;
    expect(scene.lines).toEqual([expect.objectContaining({ requestId, code: "INTERNAL_SERVER_ERROR" })]);
    expect(JSON.stringify(scene.lines[0]?.["err"])).toContain("13 cannot be served");
  });

  test("end with the gateway's reason where it ends the stream, and nothing is logged", async () => {
    const scene = setUp(() => new Source(1, new GatewayError("NOT_PARTICIPANT")));
    const results = await scene.started();
    await results.next();
    const { message } = ERROR_CATALOGUE.NOT_PARTICIPANT;
    await expect(results.next()).rejects.toMatchObject({ message, extensions: { code: "NOT_PARTICIPANT" } });
    expect(scene.lines).toEqual([]);
    expect(scene.released()).toBeGreaterThan(0);
  });

  test("end masked where the source breaks", async () => {
    const scene = setUp(() => new Source(new RangeError("a secret")));
    const results = await scene.started();
    await expect(results.next()).rejects.toMatchObject(INTERNAL);
    expect(scene.lines).toHaveLength(1);
  });

  test("end at once for a reader that leaves, even one that waits", async () => {
    const source = new Source();
    const scene = setUp(() => source);
    const results = await scene.started();
    const waiting = results.next();
    await results.return();
    expect(await waiting).toMatchObject({ done: true });
    expect(source.returned).toBeGreaterThan(0);
    expect(scene.released()).toBeGreaterThan(0);
  });
});

test.each([
  ["refuses", () => Promise.reject(new GatewayError("NOT_FOUND")), { extensions: { code: "NOT_FOUND" } }],
  ["breaks", () => Promise.reject(new TypeError("a secret")), INTERNAL],
])("a subscription whose field %s does not start, and its caller is released", async (_how, subscribe, expected) => {
  const scene = setUp(subscribe);
  expect(await scene.subscribe()).toMatchObject({ errors: [expected] });
  expect(scene.released()).toBeGreaterThan(0);
});

test("a query's defect is masked, logged once under its requestId, and its caller is released", async () => {
  const scene = setUp(() => new Source());
  const { errors } = await scene.execute();
  expect(JSON.parse(JSON.stringify(errors))).toMatchObject([{ ...INTERNAL, path: ["number"] }]);
  const requestId = errors?.[0]?.extensions["requestId"];
  expect(scene.lines).toEqual([expect.objectContaining({ requestId, code: "INTERNAL_SERVER_ERROR" })]);
  expect(JSON.stringify(scene.lines[0]?.["err"])).toContain("13 cannot be served");
  expect(scene.released()).toBeGreaterThan(0);
});
