/** Which operations may be executed once for everybody. */
import {
  BREAK,
  isNonNullType,
  Kind,
  TypeInfo,
  visit,
  visitWithTypeInfo,
  type ArgumentNode,
  type DocumentNode,
  type GraphQLField,
  type GraphQLSchema,
} from "graphql";

/** Goes into the `extensions` of a field whose value depends on who asks. The fields of queries and mutations need no mark. */
export const DEPENDS_ON_VIEWER = { dependsOnViewer: true } as const;

/** Whether a document selects, wherever in it, a field that depends on the viewer. */
export function dependsOnViewer(schema: GraphQLSchema, document: DocumentNode): boolean {
  let found = false;
  const typeInfo = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(typeInfo, {
      Field() {
        if (!isMarked(typeInfo.getFieldDef())) return undefined;
        found = true;
        return BREAK;
      },
    }),
  );
  return found;
}

/**
 * The names of the variables that a subscription's results depend on: all but those that are used in the arguments of its root
 * field alone. Those decide what it is subscribed to.
 */
export function variablesOfResults(schema: GraphQLSchema, document: DocumentNode): readonly string[] {
  return [...variablesUsed(schema, document, () => true)].toSorted();
}

/**
 * The names of the variables that only say after which message a subscription begins: those that are used for its root field's argument
 * `after` and for nothing else.
 */
export function variablesOfStart(schema: GraphQLSchema, document: DocumentNode): readonly string[] {
  const starts = new Set<string>();
  const others = variablesUsed(schema, document, ({ name, value }) => {
    if (name.value !== "after" || value.kind !== Kind.VARIABLE) return false;
    starts.add(value.name.value);
    return true;
  });
  return [...starts].filter((name) => !others.has(name));
}

/** The names of the variables that a document uses where null is not allowed. */
export function requiredVariables(schema: GraphQLSchema, document: DocumentNode): ReadonlySet<string> {
  const names = new Set<string>();
  const typeInfo = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(typeInfo, {
      VariableDefinition: () => false,
      Variable({ name }) {
        if (isNonNullType(typeInfo.getInputType())) names.add(name.value);
      },
    }),
  );
  return names;
}

/** The names of the variables that a subscription uses, except in those arguments of its root field that are left out. */
function variablesUsed(
  schema: GraphQLSchema,
  document: DocumentNode,
  isLeftOut: (ofRootField: ArgumentNode) => boolean,
): ReadonlySet<string> {
  const names = new Set<string>();
  const typeInfo = new TypeInfo(schema);
  const rootType = schema.getSubscriptionType();
  visit(
    document,
    visitWithTypeInfo(typeInfo, {
      VariableDefinition: () => false,
      // Directives' arguments are Arguments too: the root field's own are those whose parent is the field itself.
      Argument(argument, _key, _parent, _path, ancestors) {
        const isOfRootField = isField(ancestors.at(-1)) && typeInfo.getParentType() === rootType;
        return isOfRootField && isLeftOut(argument) ? false : undefined;
      },
      Variable(node) {
        names.add(node.name.value);
      },
    }),
  );
  return names;
}

function isMarked(field: GraphQLField<unknown, unknown> | null | undefined): boolean {
  return field?.extensions["dependsOnViewer"] === true;
}

function isField(node: unknown): boolean {
  return typeof node === "object" && node !== null && "kind" in node && node.kind === Kind.FIELD;
}
