/**
 * What a document may be made of. Looked at before validation, whose rules compare each two fields that have one name in a result: what
 * refusing a document costs depends on these limits, not on the document.
 */
import {
  Kind,
  visit,
  type DocumentNode,
  type EnumValueNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type NameNode,
  type SelectionNode,
} from "graphql";
import { GatewayError } from "../errors.ts";

/** Characters of a document. A full introspection query has about 2,000. */
const MAX_DOCUMENT_LENGTH = 51_200;
/** Lines of a document: graphql-js counts them from the beginning for each place that an error names. */
const MAX_LINES = 2000;
/** Tokens of a document. */
export const MAX_TOKENS = 2000;
/** Levels of fields in one operation. The deepest sensible one here has seven. */
export const MAX_DEPTH = 12;
/** Levels of an introspection query: the types of types are nested. */
const MAX_INTROSPECTION_DEPTH = 30;
/** Fields that an introspection query is answered with: of the whole schema, as stock tools ask for it, there are about 14,000. */
const MAX_INTROSPECTED_FIELDS = 25_000;
/** How many the lists of introspection have, about. Those of other fields have few. */
const INTROSPECTED_LISTS: ReadonlyMap<string, number> = new Map([
  ["types", 30],
  ["fields", 5],
  ["directives", 5],
]);
/** Fields at the root of one operation. */
const MAX_ROOT_FIELDS = 100;
const MAX_ALIASES = 100;
const MAX_FRAGMENTS = 100;
const MAX_OPERATIONS = 20;
/** Characters of a name. What is unknown is compared with what is known, and repeated in the error. */
const MAX_NAME_LENGTH = 256;
/** Fields of all operations of a document, those of a fragment counted at each of its spreads. */
const MAX_FIELDS = 2000;
/** Comparisons of two fields with one name in a result. */
const MAX_COMPARISONS = 3000;

/** The document is deeper than an operation may be. */
export class TooDeep extends GatewayError {
  constructor(maxDepth: number) {
    super("OPERATION_LIMIT", { message: `The operation is too deep; ${maxDepth} levels are allowed.` });
  }
}

/** Why a text is too large to be parsed; undefined where it is not. */
export function tooLarge(text: string): string | undefined {
  if (text.length > MAX_DOCUMENT_LENGTH) return `The document has over ${MAX_DOCUMENT_LENGTH} characters.`;
  const lines = text.split(/\r\n|[\n\r]/, MAX_LINES + 1).length;
  return lines > MAX_LINES ? `The document has over ${MAX_LINES} lines.` : undefined;
}

/**
 * Counts what is in a document as it is written.
 *
 * @throws GatewayError OPERATION_LIMIT
 */
export function requireFewParts(document: DocumentNode): void {
  let aliases = 0;
  let longest = 0;
  const noteName = ({ value }: NameNode | EnumValueNode): void => {
    longest = Math.max(longest, value.length);
  };
  visit(document, {
    Field({ alias }) {
      if (alias) aliases++;
    },
    Name: noteName,
    EnumValue: noteName,
  });
  const { definitions } = document;
  const fragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION).length;
  const operations = definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION).length;
  requireAtMost("aliases", aliases, MAX_ALIASES);
  requireAtMost("characters in a name", longest, MAX_NAME_LENGTH);
  requireAtMost("fragments", fragments, MAX_FRAGMENTS);
  requireAtMost("operations", operations, MAX_OPERATIONS);
}

/**
 * Counts what each operation comes to when its fragments are where they are spread. Their spreads must have no cycle.
 *
 * @throws GatewayError OPERATION_LIMIT; {@link TooDeep}
 */
export function requireSmallOperations(document: DocumentNode): void {
  const count = new OperationCount(document);
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) count.add(definition.selectionSet.selections);
  }
}

/** Fields that are one in the result: they have the same name there, and the same parents. */
interface Merged {
  readonly fields: FieldNode[];
  /** Their size, with arguments: those are compared as text. */
  size: number;
}

class OperationCount {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  #fields = 0;
  #introspectedFields = 0;
  #comparisons = 0;

  constructor({ definitions }: DocumentNode) {
    const fragments = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
  }

  add(selections: readonly SelectionNode[]): void {
    const merged = this.#merge([selections]);
    let rootFields = 0;
    for (const { fields } of merged.values()) rootFields += fields.length;
    requireAtMost("root fields", rootFields, MAX_ROOT_FIELDS);
    for (const { fields } of merged.values()) {
      const isIntrospection = fields[0]?.name.value.startsWith("__") === true;
      if (isIntrospection) this.#descend(fields, 1, MAX_INTROSPECTION_DEPTH, 1);
      else this.#descend(fields, 1, MAX_DEPTH, 0);
    }
  }

  /** @param times how often these fields are in the result, where they are introspection's; else 0. */
  #descend(parents: readonly FieldNode[], depth: number, maxDepth: number, times: number): void {
    if (depth > maxDepth) throw new TooDeep(maxDepth);
    this.#introspectedFields += times;
    requireAtMost("fields of introspection", this.#introspectedFields, MAX_INTROSPECTED_FIELDS);
    const sets = parents.flatMap(({ selectionSet }) => (selectionSet ? [selectionSet.selections] : []));
    if (sets.length === 0) return;
    const each = times * (INTROSPECTED_LISTS.get(parents[0]?.name.value ?? "") ?? 1);
    for (const { fields } of this.#merge(sets).values()) this.#descend(fields, depth + 1, maxDepth, each);
  }

  /** The fields of selections, by their names in the result. */
  #merge(sets: readonly (readonly SelectionNode[])[]): ReadonlyMap<string, Merged> {
    const merged = new Map<string, Merged>();
    const spread = new Set<string>();
    const waiting = [...sets];
    for (let selections = waiting.pop(); selections; selections = waiting.pop()) {
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD) this.#note(merged, selection);
        else if (selection.kind === Kind.INLINE_FRAGMENT) waiting.push(selection.selectionSet.selections);
        else if (!spread.has(selection.name.value)) {
          spread.add(selection.name.value);
          const fragment = this.#fragments.get(selection.name.value);
          if (fragment) waiting.push(fragment.selectionSet.selections);
        }
      }
    }
    for (const { fields, size } of merged.values()) this.#comparisons += ((fields.length - 1) * size) / 2;
    requireAtMost("fields of the same name", this.#comparisons, MAX_COMPARISONS);
    return merged;
  }

  #note(merged: Map<string, Merged>, field: FieldNode): void {
    requireAtMost("fields", ++this.#fields, MAX_FIELDS);
    const name = field.alias?.value ?? field.name.value;
    const size = sizeOf(field);
    const others = merged.get(name);
    if (!others) {
      merged.set(name, { fields: [field], size });
      return;
    }
    others.fields.push(field);
    others.size += size;
  }
}

/** Arguments of ordinary fields have a few words. */
const CHARACTERS_OF_A_FIELD = 40;

function sizeOf({ arguments: given = [] }: FieldNode): number {
  const [first, last] = [given[0]?.loc, given.at(-1)?.loc];
  return first && last ? 1 + (last.end - first.start) / CHARACTERS_OF_A_FIELD : 1;
}

function requireAtMost(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  throw new GatewayError("OPERATION_LIMIT", { message: `The document has too many ${what}.` });
}
