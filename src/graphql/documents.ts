/** Documents: parsed and validated once for each text, whoever sends it and however. */
import {
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
} from "graphql";
import { LRUCache } from "lru-cache";
import { documentError } from "./errors.ts";
import { unconditionalSubscriptionRule } from "./subscription-rule.ts";

/** Tokens of a document. */
const MAX_TOKENS = 2000;
const MAX_VALIDATION_ERRORS = 20;
const CACHED_DOCUMENTS = 1000;
/** Of all texts in the cache: a syntax tree takes over a hundred times its text. */
const CACHED_CHARACTERS = 500_000;

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

  constructor(schema: GraphQLSchema, introspection: boolean) {
    this.#schema = schema;
    this.#introspection = introspection;
  }

  /** The document of a text, or what is wrong with it. Never throws. */
  read(text: string): Parsed {
    let parsed = this.#cache.get(text);
    if (!parsed) {
      parsed = this.#read(text);
      if ("document" in parsed) this.#cache.set(text, parsed);
    }
    return parsed;
  }

  #read(text: string): Parsed {
    try {
      return this.#parse(text);
    } catch (error) {
      // The stack's end: lists in lists take it there before their tokens are too many.
      if (!(error instanceof RangeError)) throw error;
      return { errors: [documentError("OPERATION_LIMIT", "The document is nested too deeply.")] };
    }
  }

  #parse(text: string): Parsed {
    let document: DocumentNode;
    try {
      document = parse(text, { maxLexicalTokens: MAX_TOKENS });
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      const tooLong = error.message.includes(`more that ${MAX_TOKENS} tokens`);
      return {
        errors: [documentError(tooLong ? "OPERATION_LIMIT" : "GRAPHQL_PARSE_FAILED", error.message, error)],
      };
    }
    const errors = this.#validate(document);
    if (errors.length === 0) return { document };
    return {
      errors: errors.map((error) => documentError("GRAPHQL_VALIDATION_FAILED", this.#discreet(error), error)),
    };
  }

  #validate(document: DocumentNode): readonly GraphQLError[] {
    const rules = [unconditionalSubscriptionRule, ...specifiedRules];
    if (!this.#introspection) rules.push(NoSchemaIntrospectionCustomRule);
    try {
      return validate(this.#schema, document, rules, { maxErrors: MAX_VALIDATION_ERRORS });
    } catch (error) {
      // The rule of subscriptions' one field throws where a variable decides whether there is that field.
      if (error instanceof GraphQLError) return [error];
      throw error;
    }
  }

  /** Where the schema is not told, neither are the names that a wrong one resembles. */
  #discreet(error: GraphQLError): string {
    return this.#introspection ? error.message : error.message.replace(/ Did you mean .*$/, "");
  }
}
