/**
 * GraphiQL without the internet: one HTML document with everything in it, whose policy lets it talk to its own origin alone.
 *
 * Yoga's own page sends no connectionParams and fetches itself from a CDN; this one is put together from the same bundle, which is
 * megabytes large and therefore loaded at the first request for the page, not at the start.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { exampleTabs } from "./graphiql-examples.ts";

const TITLE = "Chat gateway — GraphiQL";
const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32"><path fill="#d64292" d="M6 4h20a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4H15l-8 6v-6H6a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4z"/><g fill="#fff"><circle cx="10" cy="14" r="2"/><circle cx="16" cy="14" r="2"/><circle cx="22" cy="14" r="2"/></g></svg>`;

/** The contents of the page when it opens. Everybody who can load the page can read it. */
export interface GraphiQLOptions {
  /** The token in the Headers editor: a public demo token, for development. None where absent. */
  readonly exampleToken?: string | undefined;
  /** The chat of the example operations that need one. None where absent. */
  readonly exampleChatId?: string | undefined;
}

/** The page of one gateway. */
export interface GraphiQL {
  /** Answers a request for which {@link wantsGraphiQL} holds. Rejects where the page cannot be built, with nothing answered. */
  respond(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

interface Document {
  readonly html: Buffer;
  readonly etag: string;
  readonly policy: string;
}

const compress = promisify(gzip);

/** Whether a browser asks for a page, which is what it does when somebody types or follows the endpoint's address. */
export function wantsGraphiQL(request: IncomingMessage): boolean {
  const isRead = request.method === "GET" || request.method === "HEAD";
  return isRead && /\btext\/html\b/i.test(request.headers.accept ?? "");
}

/**
 * GraphiQL for the endpoint at whose address it is served. The page is built once, and compressed once, when it is first asked for.
 */
export function createGraphiQL(options: GraphiQLOptions = {}): GraphiQL {
  const document = once(() => buildDocument(options));
  const compressed = once(async () => compress((await document()).html));
  return {
    async respond(request, response) {
      const { html, etag, policy } = await document();
      const unchanged = isCached(request, etag);
      const zipped = !unchanged && acceptsGzip(request);
      const body = zipped ? await compressed() : html;
      writeHeaders(response, etag, policy);
      if (unchanged) {
        response.writeHead(304).end();
        return;
      }
      if (zipped) response.setHeader("content-encoding", "gzip");
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-length": body.length }).end(body);
    },
  };
}

/** The result of the first call for all calls; a failure is forgotten, so that the next call tries again. */
function once<T>(produce: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= produce().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}

function acceptsGzip(request: IncomingMessage): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(request.headers["accept-encoding"] ?? "");
}

function isCached(request: IncomingMessage, etag: string): boolean {
  const known = request.headers["if-none-match"]?.split(",") ?? [];
  return known.some((tag) => tag.trim() === etag);
}

function writeHeaders(response: ServerResponse, etag: string, policy: string): void {
  response.setHeader("etag", etag);
  // Asked for again each time: another version of the gateway has another page.
  response.setHeader("cache-control", "private, no-cache");
  response.setHeader("vary", "Accept, Accept-Encoding");
  response.setHeader("content-security-policy", policy);
  response.setHeader("referrer-policy", "no-referrer");
  response.setHeader("x-content-type-options", "nosniff");
}

async function buildDocument(options: GraphiQLOptions): Promise<Document> {
  const { css, js, editorWorkerService, graphqlWorker, jsonWorker } =
    await import("@graphql-yoga/render-graphiql/graphiql");
  const scripts = [
    workersScript({ editorWorkerService, graphql: graphqlWorker, json: jsonWorker }),
    js,
    await socketClientSource(),
    await ownText("graphiql-connection.js"),
    await ownText("graphiql-fetcher.js"),
    `startGraphiQL(${scriptLiteral(pageOptions(options))});`,
  ];
  const html = Buffer.from(page(`${css}\n${await ownText("graphiql.css")}`, scripts));
  // Weak, for it names both the compressed page and the plain one.
  return { html, etag: `W/"${sha256(html)}"`, policy: contentSecurityPolicy(scripts) };
}

/** A file beside this one. */
function ownText(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), "utf8");
}

/** The package's bundle for pages without modules. Its exports do not name it, so it is found beside its entry. */
async function socketClientSource(): Promise<string> {
  const entry = pathToFileURL(createRequire(import.meta.url).resolve("graphql-ws"));
  return readFile(new URL("../umd/graphql-ws.min.js", entry), "utf8");
}

/** Monaco asks for its workers by these labels. */
function workersScript(sources: Readonly<Record<string, string>>): string {
  return `{
  const sources = ${scriptLiteral(sources)};
  const toUrl = (source) => URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const urls = Object.fromEntries(Object.entries(sources).map(([label, source]) => [label, toUrl(source)]));
  globalThis.MonacoEnvironment = { globalAPI: false, getWorkerUrl: (_, label) => urls[label] };
}`;
}

function pageOptions({ exampleToken = "", exampleChatId }: GraphiQLOptions): object {
  return {
    title: TITLE,
    logo: LOGO,
    headers: JSON.stringify({ Authorization: `Bearer ${exampleToken}` }, null, 2),
    defaultTabs: exampleTabs(exampleChatId),
    defaultEditorToolsVisibility: "headers",
    // Tokens would stand in localStorage otherwise.
    shouldPersistHeaders: false,
  };
}

/** JSON that cannot end the script element that contains it. */
function scriptLiteral(value: object): string {
  return JSON.stringify(value).replaceAll("<", String.raw`\u003c`);
}

function page(css: string, scripts: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE}</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(LOGO)}">
<style>${css}</style>
</head>
<body class="no-focus-outline">
<noscript>GraphiQL needs JavaScript.</noscript>
<div id="trouble" role="alert" hidden></div>
<div id="root"></div>
${scripts.map((script) => `<script>${script}</script>`).join("\n")}
</body>
</html>
`;
}

/** Scripts run by their hash alone. Monaco writes style elements of its own, and its workers are blobs. */
function contentSecurityPolicy(scripts: readonly string[]): string {
  const hashes = scripts.map((script) => `'sha256-${sha256(script)}'`);
  return [
    "default-src 'none'",
    `script-src ${hashes.join(" ")}`,
    "style-src 'unsafe-inline'",
    "font-src data:",
    "img-src data:",
    "worker-src blob:",
    // Of the page's own host, WebSocket is included.
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("base64");
}
