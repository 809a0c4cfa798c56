/** What a request is for, as its first line and its Host say it: RFC 9112, section 3.2. */
import { expect, test } from "vitest";
import { startDiscreetGateway, type DiscreetGateway } from "../support/discreet.ts";
import { rawConnection, rawRequest, rawUpgrade } from "../support/tcp.ts";

/** Everything that is answered to a request that is the last one of its connection. */
async function answerTo(url: string, request: string): Promise<string> {
  await using connection = await rawConnection(url);
  connection.send(request);
  // Awaited here: the connection is destroyed when this returns.
  return await connection.received;
}

function asAlice({ api }: DiscreetGateway, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    accept: "application/json",
    authorization: `Bearer ${api.users[0]?.token}`,
    connection: "close",
    ...more,
  };
}

test("an absolute target is answered as its path is", async () => {
  await using gateway = await startDiscreetGateway();
  const headers = asAlice(gateway);
  const { origin } = new URL(gateway.url);
  const query = "/graphql?query=%7Bme%7Bid%7D%7D";
  const me = JSON.stringify({ data: { me: { id: gateway.api.users[0]?.id } } });
  for (const target of [query, `${origin}${query}`, `HTTP://chat.example.com${query}`]) {
    expect(await answerTo(gateway.url, rawRequest(target, headers))).toContain(me);
  }
  expect(await answerTo(gateway.url, rawRequest(`${origin}/health`, headers))).toMatch(/^HTTP\/1\.1 200 /);
  expect(await answerTo(gateway.url, rawRequest(`${origin}?query`, headers))).toMatch(/^HTTP\/1\.1 302 /);
  expect(await answerTo(gateway.url, rawRequest("http:///graphql", headers))).toMatch(/^HTTP\/1\.1 400 /);
});

test("the host of an absolute target takes the place of Host", async () => {
  await using gateway = await startDiscreetGateway({ ALLOWED_HOSTS: "chat.example.com" });
  const listed = asAlice(gateway, { host: "chat.example.com" });
  const other = asAlice(gateway, { host: "evil.example" });
  const query = "/graphql?query=%7Bme%7Bid%7D%7D";
  const ask = (target: string, headers: Record<string, string>) => answerTo(gateway.url, rawRequest(target, headers));
  expect(await ask(`http://evil.example${query}`, listed)).toMatch(/^HTTP\/1\.1 421 /);
  expect(await ask(`http://chat.example.com${query}`, other)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await answerTo(gateway.url, rawUpgrade("http://evil.example/graphql", listed))).toMatch(/^HTTP\/1\.1 421 /);
  await using connection = await rawConnection(gateway.url);
  connection.send(rawUpgrade("http://chat.example.com/graphql", other));
  await expect.poll(() => connection.socket.bytesRead).toBeGreaterThan(0);
  connection.socket.end();
  expect(await connection.received).toMatch(/^HTTP\/1\.1 101 /);
});

test.each(["a/b", "a?b", "a#b", "user@a", "a:99999", "[::1"])(
  "a Host that is none is refused with 400: %s",
  async (host) => {
    await using gateway = await startDiscreetGateway();
    const answer = await answerTo(
      gateway.url,
      rawRequest("/graphql?query=%7Bme%7Bid%7D%7D", asAlice(gateway, { host })),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('{"error":"bad host"}');
  },
);
