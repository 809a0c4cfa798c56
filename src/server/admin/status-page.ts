/** The status as a page: one document with everything in it, which asks for the JSON again every five seconds. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";

/** Whether a browser asks, rather than a program. */
export function wantsPage({ headers }: IncomingMessage): boolean {
  return /\btext\/html\b/i.test(headers.accept ?? "");
}

export function respondWithPage(response: ServerResponse): void {
  const [script, style] = ["status-page-script.js", "status-page.css"].map((name) =>
    readFileSync(new URL(name, import.meta.url), "utf8"),
  );
  response.setHeader("content-security-policy", policyFor(script ?? "", style ?? ""));
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page(script ?? "", style ?? ""));
}

/** What is in the page runs, by its hash, and nothing else; it speaks to its own host alone. */
function policyFor(script: string, style: string): string {
  return [
    "default-src 'none'",
    `script-src 'sha256-${hash("sha256", script, "base64")}'`,
    `style-src 'sha256-${hash("sha256", style, "base64")}'`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function page(script: string, style: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chat gateway — status</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<noscript>The status page needs JavaScript. GET /status with "Accept: application/json" answers the same.</noscript>
<h1></h1>
<p id="state" role="status">…</p>
<div id="charts"></div>
<h2>Instances</h2>
<div class="scroll"><table id="instances"></table></div>
<h2>Parts</h2>
<table id="parts"></table>
<h2>Configuration</h2>
<table id="configuration"></table>
<script>${script}</script>
</body>
</html>
`;
}
