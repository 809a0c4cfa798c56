/**
 * Documents that clients name by their hash instead of sending them: `extensions.persistedQuery`, the protocol of Apollo Client and urql,
 * and `documentId`, of GraphQL over HTTP's appendix.
 */
import type { GraphQLError } from "graphql";
import { documentError } from "./errors.ts";
import { ERROR_CATALOGUE, type ErrorCode } from "../errors.ts";

/** What a request says of its document: its text, its hash, or both. */
export interface DocumentRequest {
  /** Empty where there is only a hash. */
  readonly query: string;
  readonly documentId?: unknown;
  /** The same under another name. */
  readonly id?: unknown;
  readonly extensions?: unknown;
}

const ALGORITHM_PREFIX = /^(?:md5|sha1|sha256|sha384|sha512):/;

/** A hash in its one spelling: hexadecimal, without the algorithm that `documentId: "sha256:…"` names. */
export function normaliseHash(hash: string): string {
  return hash.toLowerCase().replace(ALGORITHM_PREFIX, "");
}

/** The hash by which a request names its document; undefined where it does not. */
export function documentHash({
  documentId,
  id,
  extensions,
}: Partial<DocumentRequest> | Readonly<Record<string, unknown>>): string | undefined {
  const hash = [documentId, id, persistedQueryHash(extensions)].find(
    (named) => typeof named === "string" && named !== "",
  );
  return typeof hash === "string" ? normaliseHash(hash) : undefined;
}

function persistedQueryHash(extensions: unknown): unknown {
  const persistedQuery = property(extensions, "persistedQuery");
  return property(persistedQuery, "version") === 1 ? property(persistedQuery, "sha256Hash") : undefined;
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

/** Where requests get the text of their document from. */
export class PersistedDocuments {
  readonly #trusted: ReadonlyMap<string, string> | undefined;
  readonly #texts: ReadonlySet<string>;

  /** @param trusted texts by their hash, as {@link normaliseHash} has it: no other is executed. Undefined: every text is. */
  constructor(trusted?: ReadonlyMap<string, string>) {
    this.#trusted = trusted;
    this.#texts = new Set(trusted?.values());
  }

  /** The text to execute, or why there is none. */
  textOf(request: DocumentRequest): string | GraphQLError {
    const { query } = request;
    if (!this.#trusted && query !== "") return query;
    const hash = documentHash(request);
    if (!this.#trusted) return hash === undefined ? query : refused("PERSISTED_QUERY_NOT_SUPPORTED");
    // Over WebSocket Apollo Client sends the text as well, written otherwise than codegen writes it.
    const trusted = hash === undefined ? undefined : this.#trusted.get(hash);
    if (trusted !== undefined) return trusted;
    if (this.#texts.has(query)) return query;
    if (query === "" && hash !== undefined) return refused("PERSISTED_QUERY_NOT_FOUND");
    return documentError("GRAPHQL_VALIDATION_FAILED", "This server executes only the documents that it was given.");
  }
}

function refused(code: ErrorCode): GraphQLError {
  return documentError(code, ERROR_CATALOGUE[code].message);
}
