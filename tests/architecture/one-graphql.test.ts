import { createRequire } from "node:module";
import SchemaBuilder from "@pothos/core";
import { GraphQLError, GraphQLSchema } from "graphql";
import { createSchema } from "graphql-yoga";
import { expect, test } from "vitest";

/** Resolves as the libraries that Node loads do, past the test runner. */
const load = createRequire(import.meta.url);

test("a test and the libraries that it imports share one copy of graphql", () => {
  const nodes: unknown = load("graphql");
  expect(nodes).toHaveProperty("GraphQLSchema", GraphQLSchema);
  expect(nodes).toHaveProperty("GraphQLError", GraphQLError);
});

test("a schema built by Pothos or by Yoga is a schema to a test", () => {
  const builder = new SchemaBuilder<object>({});
  builder.queryType({ fields: (t) => ({ ok: t.boolean({ resolve: () => true }) }) });
  expect(builder.toSchema()).toBeInstanceOf(GraphQLSchema);
  expect(createSchema({ typeDefs: "type Query { ok: Boolean }" })).toBeInstanceOf(GraphQLSchema);
});
