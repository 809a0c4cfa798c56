/** Which variables only say where a subscription begins. */
import { parse, validate } from "graphql";
import { expect, test } from "vitest";
import { buildSchema } from "../../src/graphql/schema.ts";
import { variablesOfStart } from "../../src/graphql/viewer.ts";

test.each<[query: string, names: readonly string[]]>([
  ["subscription { messageAdded { id } }", []],
  ["subscription ($a: String) { messageAdded(after: $a) { id } }", ["a"]],
  ['subscription ($a: String = "x") { added: messageAdded(after: $a) { id } }', ["a"]],
  ["subscription ($a: String) { ...F } fragment F on Subscription { messageAdded(after: $a) { id } }", ["a"]],
  ["subscription ($a: String, $c: ID) { messageAdded(chatId: $c, after: $a) { id } }", ["a"]],
  ["subscription ($c: ID) { messageAdded(chatId: $c) { id } }", []],
  ["subscription ($b: Boolean!) { messageAdded { id @skip(if: $b) } }", []],
  ["query ($b: String) { chats { messages(before: $b) { nodes { id } } } }", []],
  ["query ($c: ID!) { chat(id: $c) { id } }", []],
])("%s", (query, names) => {
  const [schema, document] = [buildSchema(), parse(query)];
  expect(validate(schema, document)).toEqual([]);
  expect(variablesOfStart(schema, document)).toEqual(names);
});
