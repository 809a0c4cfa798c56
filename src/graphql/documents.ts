/** Documents: parsed and validated once for each text, whoever sends it and however. */
import { hash } from "node:crypto";
import {
  FieldsOnCorrectTypeRule,
  GraphQLError,
  Kind,
  KnownFragmentNamesRule,
  NoFragmentCyclesRule,
  NoSchemaIntrospectionCustomRule,
  NoUnusedFragmentsRule,
  parse,
  specifiedRules,
  UniqueFragmentNamesRule,
  validate,
  type DocumentNode,
  type GraphQLFormattedError,
  type GraphQLSchema,
  type ValidationRule,
} from "graphql";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { MAX_TOKENS, requireFewParts, requireSmallOperations, TooDeep, tooLarge } from "./document-limits.ts";
import { documentError, formattedError } from "./errors.ts";
import { unconditionalSubscriptionRule } from "./subscription-rule.ts";

const MAX_VALIDATION_ERRORS = 20;
const CACHED_DOCUMENTS = 1000;
/** Of all texts in the cache: a syntax tree takes over a hundred times its text. */
const CACHED_CHARACTERS = 500_000;
/** Refused texts that are remembered, and the characters of what is said of all of them. */
const REMEMBERED_REFUSALS = 5000;
const REFUSAL_CHARACTERS = 2_000_000;

/** Rules that look at each spread of a fragment once. What they let pass has an end when it is spread. */
const FRAGMENT_RULES: readonly ValidationRule[] = [
  UniqueFragmentNamesRule,
  KnownFragmentNamesRule,
  NoFragmentCyclesRule,
  NoUnusedFragmentsRule,
];

/** A document, or what is wrong with it. */
type Parsed = { readonly document: DocumentNode } | { readonly errors: readonly GraphQLError[] };

export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #introspection: boolean;
  readonly #cache = new LRUCache<string, Parsed>({
    max: CACHED_DOCUMENTS,
    maxSize: CACHED_CHARACTERS,
    sizeCalculation: (_parsed, text) => text.length + 1,
  });
  /** What is wrong with a text, by its hash: neither the text nor its syntax tree is kept. */
  readonly #refusals = new LRUCache<string, readonly GraphQLFormattedError[]>({
    max: REMEMBERED_REFUSALS,
    maxSize: REFUSAL_CHARACTERS,
    sizeCalculation: (errors) => errors.reduce((sum, { message }) => sum + message.length + 200, 100),
  });

  constructor(schema: GraphQLSchema, introspection: boolean) {
    this.#schema = schema;
    this.#introspection = introspection;
  }

  /** Whether the document of a text is known. */
  has(text: string): boolean {
    return this.#cache.has(text);
  }

  /** The document of a text, or what is wrong with it. Never throws. */
  read(text: string): Parsed {
    const cached = this.#cache.get(text);
    if (cached) return cached;
    const excess = tooLarge(text);
    if (excess !== undefined) return { errors: [documentError("OPERATION_LIMIT", excess)] };
    const key = hash("sha256", text, "base64url");
    const refusal = this.#refusals.get(key);
    if (refusal) return { errors: refusal.map(formattedError) };
    const parsed = this.#read(text);
    if ("document" in parsed) this.#cache.set(text, parsed);
    else
      this.#refusals.set(
        key,
        parsed.errors.map((error) => error.toJSON()),
      );
    return parsed;
  }

  /**
   * Whether a text asks for nothing but the schema, or is no document: what may be answered to anybody. Nothing is validated. Never throws.
   */
  asksForSchemaAlone(text: string): boolean {
    const cached = this.#cache.get(text);
    const parsed = cached ?? (tooLarge(text) === undefined ? this.#parse(text) : { errors: [] });
    if ("errors" in parsed) return true;
    return parsed.document.definitions.every(
      (definition) =>
        definition.kind !== Kind.OPERATION_DEFINITION ||
        definition.selectionSet.selections.every(
          (selection) => selection.kind === Kind.FIELD && selection.name.value.startsWith("__"),
        ),
    );
  }

  #read(text: string): Parsed {
    const parsed = this.#parse(text);
    if ("errors" in parsed) return parsed;
    const errors = this.#refuse(parsed.document);
    return errors.length === 0 ? parsed : { errors };
  }

  #parse(text: string): Parsed {
    try {
      return { document: parse(text, { maxLexicalTokens: MAX_TOKENS }) };
    } catch (error) {
      // The stack's end: lists in lists take it there before their tokens are too many.
      if (error instanceof RangeError) return { errors: [tooNested()] };
      if (!(error instanceof GraphQLError)) throw error;
      const tooLong = error.message.includes(`more that ${MAX_TOKENS} tokens`);
      return { errors: [documentError(tooLong ? "OPERATION_LIMIT" : "GRAPHQL_PARSE_FAILED", error.message, error)] };
    }
  }

  /** What is wrong with a document: first what costs little to find out, whatever the document is. */
  #refuse(document: DocumentNode): readonly GraphQLError[] {
    try {
      requireFewParts(document);
      const errors = this.#validate(document, FRAGMENT_RULES);
      if (errors.length > 0) return errors;
      requireSmallOperations(document);
      const rules = [unconditionalSubscriptionRule, ...specifiedRules];
      return this.#validate(document, this.#introspection ? rules : [...rules, NoSchemaIntrospectionCustomRule]);
    } catch (error) {
      if (error instanceof RangeError) return [tooNested()];
      if (!(error instanceof GatewayError)) throw error;
      // That there is no such field says more than that it is too deep.
      const unknown = error instanceof TooDeep ? this.#validate(document, [FieldsOnCorrectTypeRule]) : [];
      return unknown.length > 0 ? unknown : [documentError(error.code, error.message)];
    }
  }

  #validate(document: DocumentNode, rules: readonly ValidationRule[]): readonly GraphQLError[] {
    let errors: readonly GraphQLError[];
    try {
      errors = validate(this.#schema, document, rules, { maxErrors: MAX_VALIDATION_ERRORS });
    } catch (error) {
      // The rule of subscriptions' one field throws where a variable decides whether there is that field.
      if (!(error instanceof GraphQLError)) throw error;
      errors = [error];
    }
    return errors.map((error) => documentError("GRAPHQL_VALIDATION_FAILED", this.#discreet(error), error));
  }

  /** Where the schema is not told, neither are the names that a wrong one resembles. */
  #discreet(error: GraphQLError): string {
    return this.#introspection ? error.message : error.message.replace(/ Did you mean .*$/, "");
  }
}

function tooNested(): GraphQLError {
  return documentError("OPERATION_LIMIT", "The document is nested too deeply.");
}
