/**
 * What a selection comes to for one event, without the objects that an execution makes for each field: a third of what an event of a small
 * chat leaves to the garbage collector. It is the text of what `execute` of graphql gives, or nothing: whatever the specification has a
 * rule for beyond plain values is left to graphql.
 */
import {
  getOperationAST,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  type InlineFragmentNode,
  type SelectionSetNode,
} from "graphql";

/** The JSON text of a value; undefined where graphql has to decide. May throw: then, too. */
type Write = (value: unknown, context: unknown) => string | undefined;

/** The arguments of a root field say what is subscribed to: its results do not depend on them. */
const NO_ARGUMENTS = {};

/** Resolvers of this schema look at no info. One that did would throw, and graphql decide. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- there is none
const NO_INFO = undefined as unknown as GraphQLResolveInfo;

export interface SelectionPlan {
  /** The JSON text of the data; undefined where graphql has to decide, which may find an error. Never throws. */
  render(rootValue: unknown, context: unknown): string | undefined;
}

/** Undefined where the operation asks for what only graphql can tell: arguments below its root, directives, abstract types. */
export function planSelection(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | undefined,
): SelectionPlan | undefined {
  const operation = getOperationAST(document, operationName);
  const root = operation && schema.getRootType(operation.operation);
  if (!root) return undefined;
  const write = new Planner(document).object(root, [operation.selectionSet], true);
  if (!write) return undefined;
  return {
    render(rootValue, context) {
      try {
        return write(rootValue, context);
      } catch {
        return undefined;
      }
    },
  };
}

/** What a selection set and the fragments in it ask for. */
interface Collected {
  readonly nodes: Map<string, FieldNode[]>;
  readonly fragments: Set<string>;
}

class Planner {
  readonly #fragments = new Map<string, FragmentDefinitionNode>();

  constructor(document: DocumentNode) {
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition);
    }
  }

  object(type: GraphQLObjectType, selectionSets: readonly SelectionSetNode[], isRoot: boolean): Write | undefined {
    const collected = { nodes: new Map<string, FieldNode[]>(), fragments: new Set<string>() };
    if (type.isTypeOf || !selectionSets.every((set) => this.#collect(type, set, collected))) return undefined;
    const fields: { readonly key: string; readonly write: Write }[] = [];
    for (const [name, [first, ...others]] of collected.nodes) {
      const write = first && this.#field(type, [first, ...others], isRoot);
      if (!write) return undefined;
      fields.push({ key: `${fields.length === 0 ? "{" : ","}${JSON.stringify(name)}:`, write });
    }
    return (value, context) => {
      if (!isPlain(value) || typeof value !== "object") return undefined;
      let text = "";
      for (const { key, write } of fields) {
        const written = write(value, context);
        if (written === undefined) return undefined;
        text += key + written;
      }
      return `${text}}`;
    };
  }

  /** Fields by their names in the result, in order, each fragment once. Returns whether there is nothing else. */
  #collect(type: GraphQLObjectType, { selections }: SelectionSetNode, into: Collected): boolean {
    return selections.every((selection) => {
      if (selection.directives && selection.directives.length > 0) return false;
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const sameName = into.nodes.get(name);
        if (sameName) sameName.push(selection);
        else into.nodes.set(name, [selection]);
        return true;
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) return this.#collectFragment(type, selection, into);
      const name = selection.name.value;
      if (into.fragments.has(name)) return true;
      into.fragments.add(name);
      const fragment = this.#fragments.get(name);
      return fragment !== undefined && this.#collectFragment(type, fragment, into);
    });
  }

  #collectFragment(
    type: GraphQLObjectType,
    { typeCondition, selectionSet }: InlineFragmentNode | FragmentDefinitionNode,
    into: Collected,
  ): boolean {
    const isOfType = typeCondition === undefined || typeCondition.name.value === type.name;
    return isOfType && this.#collect(type, selectionSet, into);
  }

  #field(type: GraphQLObjectType, nodes: readonly [FieldNode, ...FieldNode[]], isRoot: boolean): Write | undefined {
    const [node] = nodes;
    if (node.name.value === "__typename") return () => JSON.stringify(type.name);
    const field = type.getFields()[node.name.value];
    if (!field || (field.args.length > 0 && !isRoot)) return undefined;
    const complete = this.#complete(
      field.type,
      nodes.flatMap(({ selectionSet }) => selectionSet ?? []),
    );
    if (!complete) return undefined;
    const { resolve, name } = field;
    if (!resolve) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `object` has looked at it
      return (source, context) => complete((source as Readonly<Record<string, unknown>>)[name], context);
    }
    return (source, context) => complete(resolve(source, NO_ARGUMENTS, context, NO_INFO), context);
  }

  #complete(type: GraphQLOutputType, selectionSets: readonly SelectionSetNode[]): Write | undefined {
    if (isNonNullType(type)) return this.#value(type.ofType, selectionSets);
    const write = this.#value(type, selectionSets);
    return write && ((value, context) => (value === null || value === undefined ? "null" : write(value, context)));
  }

  #value(type: GraphQLOutputType, selectionSets: readonly SelectionSetNode[]): Write | undefined {
    if (isLeafType(type)) {
      return (value) => (isPlain(value) ? JSON.stringify(type.serialize(value) ?? undefined) : undefined);
    }
    if (isObjectType(type)) return this.object(type, selectionSets, false);
    if (!isListType(type)) return undefined;
    const write = this.#complete(type.ofType, selectionSets);
    return write && listOf(write);
  }
}

function listOf(write: Write): Write {
  return (value, context) => {
    if (!Array.isArray(value)) return undefined;
    let text = "[";
    for (const item of value) {
      const written = write(item, context);
      if (written === undefined) return undefined;
      text += text === "[" ? written : `,${written}`;
    }
    return `${text}]`;
  };
}

/** Whether a value is there, and is neither called, nor awaited, nor an error that is reported. */
function isPlain(value: unknown): boolean {
  if (value === null || value === undefined || typeof value === "function" || value instanceof Error) return false;
  if (!(value instanceof Promise)) return true;
  // Graphql asks for another one, and reports it.
  value.catch(() => undefined);
  return false;
}
