/** The demo at /demo: a chat between two demo users in one page, built from `demo/` on the client kit and its hooks. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { answer } from "../http/answer.ts";

/** What the page can ask for, all of it on the embedded development API. */
export interface DemoParts {
  readonly users: readonly { readonly id: string; readonly name: string }[];
  /** A new token of a demo user. */
  readonly issueToken: (userId: string, options: { readonly expiresAt: Date }) => string;
  /** Closes every WebSocket as a gateway does that is restarting. */
  readonly restartSockets: () => Promise<void>;
}

export interface Demo {
  /** Answers a request to /demo or below it. */
  respond(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

const HOUR_MS = 3_600_000;

const PAGE = new URL("demo.html", import.meta.url);

/** The page is read when it is first asked for. Everything about it is public: so are the demo users. */
export function createDemo({ users, issueToken, restartSockets }: DemoParts): Demo {
  let page: Promise<Buffer> | undefined;
  return {
    async respond(request, response) {
      const url = new URL(request.url ?? "/", "http://demo.invalid");
      if (url.pathname === "/demo" && request.method === "GET") {
        const html = await (page ??= readFile(PAGE));
        response.setHeader("content-security-policy", contentSecurityPolicy(html.toString()));
        response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
      } else if (url.pathname === "/demo/token" && request.method === "POST") {
        const user = users[Number(url.searchParams.get("user"))];
        if (!user) {
          answer(response, 404, { error: "no such user" });
          return;
        }
        const lifetimeMs = Math.min(Number(url.searchParams.get("ms") ?? HOUR_MS) || HOUR_MS, HOUR_MS);
        const token = issueToken(user.id, { expiresAt: new Date(Date.now() + lifetimeMs) });
        answer(response, 200, { ...user, token });
      } else if (url.pathname === "/demo/restart" && request.method === "POST") {
        await restartSockets();
        answer(response, 200, {});
      } else answer(response, 404, { error: "not found" });
    },
  };
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
