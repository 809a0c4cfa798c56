/** The demo at /demo: a chat between two demo users in one page, built from `demo/` on the client kit and its hooks. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { answer } from "../http/answer.ts";
import { bearerToken } from "../token.ts";

/** What the page can ask for, all of it on the embedded development API. */
export interface DemoParts {
  readonly users: readonly { readonly id: string; readonly name: string }[];
  readonly tokens: DemoTokens;
  /** Closes every WebSocket as a gateway does that is restarting. */
  readonly restartSockets: () => Promise<void>;
}

export interface DemoTokens {
  /** A new one of a demo user. */
  issueToken(userId: string, options: { readonly expiresAt: Date }): string;
  /** Undefined where the token is revoked or expired. */
  userOf(token: string): string | undefined;
  revokeToken(token: string): void;
}

export interface Demo {
  /** Answers a request to /demo or below it. */
  respond(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

const HOUR_MS = 3_600_000;

/** How long a session is renewed without signing in again. */
const SESSION_MS = 24 * HOUR_MS;

const PAGE = new URL("demo.html", import.meta.url);

/**
 * The page is read when it is first asked for. It signs in as a demo user without a password, which gives it a session; with the
 * session it gets short-lived tokens, until the session ends or the user's tokens are revoked.
 */
export function createDemo(parts: DemoParts): Demo {
  let page: Promise<Buffer> | undefined;
  return {
    async respond(request, response) {
      const url = new URL(request.url ?? "/", "http://demo.invalid");
      switch (`${request.method} ${url.pathname}`) {
        case "GET /demo":
          writePage(response, await (page ??= readFile(PAGE)));
          return;
        case "POST /demo/session":
          signIn(parts, url, response);
          return;
        case "DELETE /demo/session":
          withSession(parts, request, response, (session) => {
            parts.tokens.revokeToken(session);
            return {};
          });
          return;
        case "POST /demo/token":
          withSession(parts, request, response, (_, userId) => {
            const lifetimeMs = Math.min(Number(url.searchParams.get("ms")) || HOUR_MS, HOUR_MS);
            return { token: parts.tokens.issueToken(userId, { expiresAt: new Date(Date.now() + lifetimeMs) }) };
          });
          return;
        case "POST /demo/restart":
          await parts.restartSockets();
          answer(response, 200, {});
          return;
        default:
          answer(response, 404, { error: "not found" });
      }
    },
  };
}

function writePage(response: ServerResponse, html: Buffer): void {
  response.setHeader("content-security-policy", contentSecurityPolicy(html.toString()));
  // With `no-store` browsers would not keep the page in their back/forward cache.
  response.setHeader("cache-control", "no-cache");
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
}

function signIn({ users, tokens }: DemoParts, url: URL, response: ServerResponse): void {
  const user = users[Number(url.searchParams.get("user"))];
  if (!user) {
    answer(response, 404, { error: "no such user" });
    return;
  }
  const session = tokens.issueToken(user.id, { expiresAt: new Date(Date.now() + SESSION_MS) });
  answer(response, 200, { id: user.id, name: user.name, session });
}

/** Answers with what `act` returns, or with 401 where the session has ended. */
function withSession(
  { tokens }: DemoParts,
  request: IncomingMessage,
  response: ServerResponse,
  act: (session: string, userId: string) => object,
): void {
  const session = bearerToken(request.headers.authorization) ?? "";
  const userId = tokens.userOf(session);
  if (userId === undefined) answer(response, 401, { error: "signed out" });
  else answer(response, 200, act(session, userId));
}

/** The page's own scripts and styles run by their hashes, and it talks to its own host alone. */
function contentSecurityPolicy(html: string): string {
  const hashes = (element: string): string =>
    [...html.matchAll(new RegExp(`<${element}[^>]*>([^]*?)</${element}>`, "g"))]
      .map(([, content = ""]) => `'sha256-${createHash("sha256").update(content).digest("base64")}'`)
      .join(" ");
  return [
    "default-src 'none'",
    `script-src ${hashes("script")}`,
    `style-src ${hashes("style")}`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
