import { once } from "node:events";
import { createServer, request, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { createGraphiQL, wantsGraphiQL, type GraphiQLOptions } from "../../src/server/graphiql/graphiql.ts";

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Serves the page where it is wanted, and 404 elsewhere. */
async function servePage(options: GraphiQLOptions = {}) {
  const graphiql = createGraphiQL(options);
  const server = createServer((asked, response) => {
    if (wantsGraphiQL(asked)) void graphiql.respond(asked, response);
    else response.writeHead(404).end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    async ask(headers: OutgoingHttpHeaders, method = "GET"): Promise<Answer> {
      const sent = request({ host: "127.0.0.1", port, method, headers, agent: false }).end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      return { status: response.statusCode, headers: response.headers, body: await buffer(response) };
    },
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

test("a browser that accepts gzip gets the same page in less than a third of the bytes", async () => {
  await using server = await servePage();
  const plain = await server.ask(BROWSER);
  const zipped = await server.ask({ ...BROWSER, "accept-encoding": "gzip, br" });

  expect(plain.headers).toMatchObject({ "content-type": "text/html; charset=utf-8", vary: "Accept, Accept-Encoding" });
  expect(plain.headers["content-encoding"]).toBeUndefined();
  expect(zipped.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
  expect(zipped.body.length).toBeLessThan(plain.body.length / 3);
});

test.each(["gzip;q=0", "br", "identity"])("a browser that accepts %s gets it plain", async (encoding) => {
  await using server = await servePage();
  const answer = await server.ask({ ...BROWSER, "accept-encoding": encoding });
  expect(answer.headers["content-encoding"]).toBeUndefined();
});

test("a browser that has the page is told so, unless the page has changed", async () => {
  await using server = await servePage();
  const { etag } = (await server.ask(BROWSER)).headers;
  const again = await server.ask({ ...BROWSER, "if-none-match": `"other", ${etag}` });
  expect(again.status).toBe(304);
  expect(again.body).toHaveLength(0);
  expect(again.headers.etag).toBe(etag);

  await using changed = await servePage({ exampleToken: "alice-token" });
  expect((await changed.ask({ ...BROWSER, "if-none-match": etag })).status).toBe(200);
});

test("HEAD gets what GET gets, without the page", async () => {
  await using server = await servePage();
  const got = await server.ask(BROWSER);
  const head = await server.ask(BROWSER, "HEAD");
  expect(head.body).toHaveLength(0);
  expect(head.headers["content-length"]).toBe(String(got.body.length));
});

test.each([
  ["GET", "application/json"],
  ["GET", "text/event-stream"],
  ["GET", "*/*"],
  ["POST", "text/html"],
])("%s with Accept: %s asks for no page", async (method, accept) => {
  await using server = await servePage();
  expect((await server.ask({ accept }, method)).status).toBe(404);
});

test("an example token cannot end the script that it stands in", async () => {
  await using server = await servePage({ exampleToken: "</script><b>" });
  const { body } = await server.ask(BROWSER);
  expect(body.includes("</script><b>")).toBe(false);
});

test("the policy names no other host and allows no script but the page's own", async () => {
  await using server = await servePage();
  const policy = String((await server.ask(BROWSER)).headers["content-security-policy"]);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(policy).toMatch(/script-src( 'sha256-[^']+')+;/);
  expect(policy).not.toMatch(/https?:|wss?:|\*|unsafe-eval/);
});
