/** What is written straight from an event is the text of what graphql executes. */
import * as fc from "fast-check";
import { execute, parse, type ExecutionResult } from "graphql";
import { expect, test } from "vitest";
import { Cursors } from "../../src/chat/cursor.ts";
import { buildSchema } from "../../src/graphql/schema.ts";
import { planSelection } from "../../src/graphql/selection-plan.ts";
import { anySubscription } from "./operations-arbitrary.ts";

const schema = buildSchema();
const context = { services: { cursors: new Cursors(Buffer.alloc(32)) } };
const user = { id: "u1", name: 'Ursula \u2028 "Ü" 🙂' };
const at = "2026-01-31T09:30:00.000Z";

type Values = Readonly<Record<string, unknown>>;

/** What an event has, by the root field that it is for. */
const EVENTS: Readonly<Record<string, { readonly name: string; readonly values: Values }>> = {
  messageAdded: {
    name: "message",
    values: {
      id: "m1",
      chatId: "c",
      sender: user,
      content: "line\nand </script>",
      createdAt: at,
      readAt: null,
      readBy: [{ userId: "u2", readAt: at }],
      clientMessageId: null,
    },
  },
  readReceipt: { name: "receipt", values: { chatId: "c", messageId: null, reader: user, readAt: at } },
  typingChanged: { name: "change", values: { chatId: "c", user, isTyping: true } },
};

/** In the place of a value: what graphql completes, calls, awaits or refuses. */
const ODD: readonly unknown[] = [
  undefined,
  null,
  "",
  17,
  Number.NaN,
  true,
  [],
  {},
  new Error("odd"),
  () => "called",
  Promise.resolve(1),
];

test("what is rendered is what is executed, whatever is asked for and whatever an event has", async () => {
  let rendered = 0;
  const oddness = fc.option(fc.record({ at: fc.nat(), value: fc.constantFrom(...ODD) }));
  const property = fc.asyncProperty(anySubscription(schema, ["c"]), oddness, async ({ field, operations }, odd) => {
    const about = EVENTS[field];
    const [first] = operations;
    if (!about || !first) return;
    const names = Object.keys(about.values);
    const changed = odd ? { [names[odd.at % names.length] ?? ""]: odd.value } : {};
    const rootValue = { [about.name]: { ...about.values, ...changed } };
    const { query, operationName, variables } = first.operation;
    const document = parse(query);
    const text = planSelection(schema, document, operationName ?? undefined)?.render(rootValue, context);
    if (text === undefined) return;
    rendered++;
    const result: ExecutionResult = await execute({
      schema,
      document,
      rootValue,
      operationName: operationName ?? null,
      variableValues: variables,
      contextValue: context,
    });
    expect(result).not.toHaveProperty("errors");
    expect(text).toBe(JSON.stringify(result.data));
  });
  await fc.assert(property, { numRuns: 1000 });
  expect(rendered).toBeGreaterThan(100);
});

const TWICE = Array.from(
  { length: 40 },
  (_, level) => `fragment F${level} on Message { ...F${level + 1} ...F${level + 1} }`,
);

test.each([
  ["fields", "{ messageAdded { id content sender { id name } createdAt } }"],
  ["aliases, lists and names of types", "{ a: messageAdded { __typename b: id readBy { reader { name } } cursor } }"],
  ["one field twice", "{ messageAdded { sender { id } ...F } } fragment F on Message { sender { name } ... { id } }"],
  ["fragments that are spread twice", `{ messageAdded { ...F0 } } ${TWICE.join(" ")} fragment F40 on Message { id }`],
])("%s are rendered without graphql", async (_what, query) => {
  const document = parse(`subscription ${query}`);
  const rootValue = { message: EVENTS["messageAdded"]?.values };
  const text = planSelection(schema, document, undefined)?.render(rootValue, context);
  expect(text).toBe(JSON.stringify((await execute({ schema, document, rootValue, contextValue: context })).data));
});

test.each([
  ["a directive", "{ messageAdded { id @include(if: true) } }"],
  ["an argument below the root", "{ chatsChanged { changed { messages(last: 1) { nodes { id } } } } }"],
  ["an unknown field", "{ messageAdded { unknown } }"],
])("%s is left to graphql", (_what, query) => {
  expect(planSelection(schema, parse(`subscription ${query}`), undefined)).toBeUndefined();
});
