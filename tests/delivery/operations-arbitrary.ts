/** Random subscriptions that are valid, and random values for their variables. */
import * as fc from "fast-check";
import { getNamedType, isObjectType, type GraphQLObjectType, type GraphQLSchema } from "graphql";
import type { RawOperation } from "../support/graphql-socket.ts";

/** A document, and with two lots of variables what it asks for: so that equal and almost equal operations meet. */
export interface RandomSubscription {
  /** The root field of the operation that is run. */
  readonly field: string;
  /** With the chat that each is about; undefined for all. */
  readonly operations: readonly { readonly operation: RawOperation; readonly chatId: string | undefined }[];
}

type Values = Readonly<Record<string, unknown>>;

/** What conditions of @skip and @include may be, with how their values may be given. */
const CONDITIONS: Readonly<Record<string, { readonly type: string; readonly values: readonly unknown[] }>> = {
  required: { type: "Boolean!", values: [true, false] },
  defaulted: { type: "Boolean = true", values: [true, false, undefined] },
  strict: { type: "Boolean! = false", values: [true, false, undefined] },
};

/** The chat of the root field: the argument, the variable's type where there is one, and which chat it comes to. */
interface ChatArgument {
  readonly text: string;
  readonly type?: string;
  of(values: Values): string | undefined;
}

interface RandomOperation {
  readonly field: string;
  readonly chat: ChatArgument;
  /** Its text with its fragments', which have names of their own by `index`. */
  print(name: string, index: number): string;
}

const LEVELS = 3;

/** @param chatIds what `chatId` may be given as; the first is also the default and the literal. */
export function anySubscription(schema: GraphQLSchema, chatIds: readonly string[]): fc.Arbitrary<RandomSubscription> {
  const root = schema.getSubscriptionType();
  if (!root) throw new Error("there are no subscriptions");
  // The list of chats is of each viewer alone: nobody shares it.
  const shared = Object.values(root.getFields()).filter(({ args }) => args.some(({ name }) => name === "chatId"));
  const anyField = fc.constantFrom(...shared.map(({ name }) => name));
  const anyOperation = anyField.chain((field) => anyOperationOf(root, field, chatIds));
  return fc
    .record({
      operations: fc.array(anyOperation, { minLength: 1, maxLength: 3 }),
      isNamed: fc.boolean(),
      isNameGiven: fc.boolean(),
      lots: fc.array(anyValues(chatIds), { minLength: 2, maxLength: 2 }),
    })
    .map(({ operations, isNamed, isNameGiven, lots }) => {
      const isAlone = operations.length === 1;
      const query = operations
        .map((operation, index) => operation.print(isNamed || !isAlone ? `Operation${index}` : "", index))
        .join("\n");
      const operationName = !isAlone || (isNamed && isNameGiven) ? "Operation0" : undefined;
      const [chosen] = operations;
      return {
        field: chosen?.field ?? "",
        operations: lots.map((variables) => ({
          operation: { query, variables, operationName },
          chatId: chosen?.chat.of(variables),
        })),
      };
    });
}

/** Values for every variable that there may be; what a document does not define it does not mind. */
function anyValues(chatIds: readonly string[]): fc.Arbitrary<Values> {
  const conditions = Object.entries(CONDITIONS).map(
    ([name, { values }]) => [name, fc.constantFrom(...values)] as const,
  );
  return fc.record({
    ...Object.fromEntries(conditions),
    chatId: fc.constantFrom<unknown>(undefined, null, ...chatIds),
    unused: fc.constantFrom<unknown>(undefined, 1, "text", { nested: [true] }),
  });
}

function anyChat([fallback = ""]: readonly string[]): fc.Arbitrary<ChatArgument> {
  const literal = JSON.stringify(fallback);
  const given = (values: Values): string | null | undefined => values["chatId"] as string | null | undefined;
  return fc.constantFrom<ChatArgument>(
    { text: "", of: () => undefined },
    { text: "(chatId: null)", of: () => undefined },
    { text: `(chatId: ${literal})`, of: () => fallback },
    { text: "(chatId: $chatId)", type: "ID", of: (values) => given(values) ?? undefined },
    {
      text: "(chatId: $chatId)",
      type: `ID = ${literal}`,
      of: (values) => (given(values) === undefined ? fallback : (given(values) ?? undefined)),
    },
  );
}

function anyOperationOf(
  root: GraphQLObjectType,
  field: string,
  chatIds: readonly string[],
): fc.Arbitrary<RandomOperation> {
  const type = getNamedType(root.getFields()[field]?.type);
  if (!isObjectType(type)) throw new Error(`${field} is of no object type`);
  return fc
    .record({
      chat: anyChat(chatIds),
      alias: fc.constantFrom("", "alias: "),
      rootIn: fc.constantFrom("operation", "inline", "fragment"),
      fields: anySelections(type, LEVELS, ["...Fields"]),
      ofFragment: anySelections(type, LEVELS - 1, []),
    })
    .map(({ chat, alias, rootIn, fields, ofFragment }) => ({
      field,
      chat,
      print(name, index) {
        const rootField = `${alias}${field}${chat.text} { ${fields.replaceAll("...Fields", `...Fields${index}`)} }`;
        const fragments = fields.includes("...Fields")
          ? [`fragment Fields${index} on ${type.name} { ${ofFragment} }`]
          : [];
        if (rootIn === "fragment") fragments.push(`fragment Root${index} on ${root.name} { ${rootField} }`);
        const body =
          rootIn === "operation"
            ? rootField
            : rootIn === "inline"
              ? `... on ${root.name} { ${rootField} }`
              : `...Root${index}`;
        return [
          `subscription ${name}${definitions([body, ...fragments].join(" "), chat)} { ${body} }`,
          ...fragments,
        ].join("\n");
      },
    }));
}

/** Of all the variables in a text, once each. */
function definitions(text: string, chat: ChatArgument): string {
  const names = new Set(Array.from(text.matchAll(/\$(\w+)/g), ([, name = ""]) => name));
  if (names.size === 0) return "";
  return `(${Array.from(names, (name) => `$${name}: ${CONDITIONS[name]?.type ?? chat.type ?? ""}`).join(", ")})`;
}

/** @param spreads the fragments on this type that there are. */
function anySelections(type: GraphQLObjectType, levels: number, spreads: readonly string[]): fc.Arbitrary<string> {
  const every = Object.values(type.getFields());
  // Types that contain each other would have no end.
  const fitting = levels > 0 ? every : every.filter((field) => !isObjectType(getNamedType(field.type)));
  const fields = fitting.map((field) => {
    const below = getNamedType(field.type);
    // An alias says whose it is, so that equal names always mean the same.
    const name = fc.constantFrom(field.name, `again_${field.name}: ${field.name}`);
    const rest = isObjectType(below)
      ? anySelections(below, levels - 1, []).map((selections) => ` { ${selections} }`)
      : fc.constant("");
    return fc.tuple(name, anyDirective(), rest).map((parts) => parts.join(""));
  });
  const typeName = fc.tuple(fc.constantFrom("__typename", "kind: __typename"), anyDirective());
  const forms = [fc.oneof(...fields), typeName.map((parts) => parts.join(""))];
  if (levels > 1) {
    const on = fc.constantFrom("...", `... on ${type.name}`);
    const inner = anySelections(type, levels - 1, spreads).map((selections) => ` { ${selections} }`);
    forms.push(fc.tuple(on, anyDirective(), inner).map((parts) => parts.join("")));
  }
  for (const spread of spreads) forms.push(anyDirective().map((directive) => `${spread}${directive}`));
  return fc.array(fc.oneof(...forms), { minLength: 1, maxLength: 4 }).map((selections) => selections.join(" "));
}

function anyDirective(): fc.Arbitrary<string> {
  const conditions = ["true", "false", ...Object.keys(CONDITIONS).map((name) => `$${name}`)];
  const directive = fc
    .tuple(fc.constantFrom("skip", "include"), fc.constantFrom(...conditions))
    .map(([name, condition]) => ` @${name}(if: ${condition})`);
  return fc.oneof({ weight: 3, arbitrary: fc.constant("") }, { weight: 1, arbitrary: directive });
}
