/** The parameters of an operation, from a request's body or its URL. */
import type { GraphQLParams, Plugin } from "graphql-yoga";
import { documentError } from "../../graphql/errors.ts";
import { documentHash } from "../../graphql/persisted-documents.ts";
import { parseClientJson } from "../client-json.ts";
import { NOT_JSON, notAnOperation, withHttp } from "./refusals.ts";

/** What may name a document by its hash, in the place of `query`, beside `extensions`. */
export const HASH_PARAMETERS: readonly string[] = ["documentId", "id"];

/** What is looked at of a body; other properties are ignored. */
const PARAMETERS = new Set(["query", "variables", "operationName", "extensions", ...HASH_PARAMETERS]);

/** Those that are JSON in a URL. */
const JSON_PARAMETERS = new Set(["variables", "extensions"]);

/** Operations are posted as JSON alone, whatever the case of the media type's letters. */
export function useParameters(): Plugin {
  return {
    onRequestParse({ request, setRequestParser }) {
      if (request.method === "POST") setRequestParser(parseJsonRequest);
      if (request.method === "GET") setRequestParser(parseUrlRequest);
    },
    onParams({ params, setParams }) {
      if ((params.query ?? undefined) === undefined && documentHash(params) !== undefined) {
        setParams({ ...params, query: "" });
      }
    },
  };
}

/** As Yoga does it, with the parameters that it does not know. An empty one is none. */
function parseUrlRequest({ url }: Request): GraphQLParams {
  const given = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
  const texts = [...given].filter(([name, value]) => PARAMETERS.has(name) && value !== "");
  return Object.fromEntries(texts.map(([name, value]) => [name, JSON_PARAMETERS.has(name) ? parse(value) : value]));
}

async function parseJsonRequest(request: Request): Promise<GraphQLParams> {
  const mediaType = (request.headers.get("content-type") ?? "").split(/[;,]/, 1)[0]?.trim().toLowerCase();
  if (mediaType !== "application/json") {
    throw withHttp(documentError("BAD_USER_INPUT", NOT_JSON), { status: 415 });
  }
  const body = await readBody(request);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw notAnOperation("The request's body is a JSON object.");
  }
  return Object.fromEntries(Object.entries(body).filter(([name]) => PARAMETERS.has(name)));
}

/** What the client has cut off, or was too slow with, is its own fault. */
async function readBody(request: Request): Promise<unknown> {
  try {
    return parse(await request.text());
  } catch (error) {
    const isCutOff = error instanceof Error && "code" in error && error.code === "ECONNRESET";
    throw isCutOff ? notAnOperation("The request's body has not arrived.") : error;
  }
}

function parse(text: string): unknown {
  try {
    return parseClientJson(text);
  } catch (error) {
    throw error instanceof RangeError ? notAnOperation("The request is nested too deeply.") : error;
  }
}
