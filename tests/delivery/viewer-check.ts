/** Executes every field that a subscription can reach, and says which of them cannot be the same for everybody. */
import {
  execute,
  getNamedType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  parse,
  validate,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
} from "graphql";
import { Cursors } from "../../src/chat/cursor.ts";

/** Whether a field says that its value depends on the viewer. */
function isMarked(field: GraphQLField<unknown, unknown>): boolean {
  return field.extensions["dependsOnViewer"] === true;
}

interface Place {
  readonly type: GraphQLObjectType;
  /** The fields from the root to here. */
  readonly path: readonly string[];
}

/** Whether a shared execution may have what a resolver asks of its context: what it is asked for on behalf of somebody it may not. */
const IMPARTIAL: ReadonlySet<string | symbol> = new Set(["services", "log"]);

/** Of the services, what answers everybody alike and at once. */
const SERVICES: Readonly<Record<string | symbol, unknown>> = { cursors: new Cursors(Buffer.alloc(32)) };

/**
 * @param event the root value of every subscription field.
 * @returns a sentence for each field that is not marked and reads who asks, waits for something or fails; sorted.
 */
export function partialFields(schema: GraphQLSchema, event: object): readonly string[] {
  const root = schema.getSubscriptionType();
  if (!root) throw new Error("there are no subscriptions");
  const places: Place[] = [{ type: root, path: [] }];
  const seen = new Set<GraphQLObjectType>([root]);
  const problems: string[] = [];
  for (const { type, path } of places) {
    for (const field of Object.values(type.getFields()).filter((each) => !isMarked(each))) {
      const here = [...path, field.name];
      problems.push(...check(schema, event, field, here).map((problem) => `${type.name}.${field.name} ${problem}`));
      const next = getNamedType(field.type);
      if (isLeafType(next)) continue;
      if (!isObjectType(next)) throw new Error(`teach this check of abstract types: ${next.name}`);
      if (!seen.has(next)) places.push({ type: next, path: here });
      seen.add(next);
    }
  }
  return problems.toSorted();
}

function check(
  schema: GraphQLSchema,
  event: object,
  field: GraphQLField<unknown, unknown>,
  path: readonly string[],
): string[] {
  if (field.args.some(isRequiredArgument)) throw new Error(`teach this check of required arguments: ${field.name}`);
  const leaf = isLeafType(getNamedType(field.type)) ? "" : " { __typename }";
  const document = parse(`subscription { ${path.join(" { ")}${leaf}${" }".repeat(path.length)}`);
  const [invalid] = validate(schema, document);
  if (invalid) throw invalid;
  const read = new Set<string>();
  const contextValue = new Proxy(
    {},
    {
      get(_target, property) {
        if (!IMPARTIAL.has(property)) read.add(String(property));
        // Whatever is asked of it answers, so that all that a resolver reads comes to light.
        return new Proxy(() => undefined, {
          get: (_services, name) => (property === "services" && SERVICES[name]) || (() => Promise.resolve([])),
        });
      },
    },
  );
  const result = execute({ schema, document, rootValue: event, contextValue });
  const problems = [...read].map((property) => `reads ${property}`);
  if (result instanceof Promise) return [...problems, "waits"];
  return [...problems, ...(result.errors ?? []).map(({ message }) => `fails: ${message}`)];
}
