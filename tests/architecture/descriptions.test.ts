/** The published schema explains itself to who has never seen it. */
import { isInputObjectType, isIntrospectionType, isObjectType, isSpecifiedScalarType } from "graphql";
import { expect, test } from "vitest";
import { buildSchema } from "../../src/graphql/schema.ts";

test("every type, field and argument of the schema has a description", () => {
  const silent: string[] = [];
  const look = (name: string, { description }: { readonly description?: string | null | undefined }): void => {
    if ((description ?? "").length < 10) silent.push(name);
  };
  for (const type of Object.values(buildSchema().getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    look(type.name, type);
    if (isInputObjectType(type))
      Object.values(type.getFields()).forEach((field) => look(`${type.name}.${field.name}`, field));
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      look(`${type.name}.${field.name}`, field);
      for (const argument of field.args) look(`${type.name}.${field.name}(${argument.name}:)`, argument);
    }
  }
  expect(silent).toEqual([]);
});
