/** New documents by the hundred, each of which takes milliseconds to read: within their sender's allowance, and beyond it. */
import { describe, expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import { MeDocument } from "../support/generated/graphql.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { codesOf, postOperation } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";
import { NPM_START_COMMAND } from "../support/process.ts";

const [alice, bob] = DEMO_USERS;

/** As expensive to validate as documents within the limits are, and never the same text. */
const expensive = (nonce: string): string =>
  `{ ${"... on Query { ".repeat(390)} __typename ${"} ".repeat(390)} } # ${nonce}`;

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("another client is answered while they are still being read", { timeout: 180_000 }, () => {
  test("over 30 WebSockets", async () => {
    await using gateway = await startGatewayProcess({}, NPM_START_COMMAND);
    await using stack = new AsyncDisposableStack();
    const attackers = await Promise.all(range(30).map(() => openGraphQLSocket(gateway.wsUrl, alice.token)));
    for (const attacker of attackers) stack.use(attacker);
    await using control = connect(gateway.wsUrl, bob.token);
    await control.run(MeDocument);
    let answered = 0;
    const answers = attackers.flatMap((attacker, connection) =>
      range(20).map(async (index) => {
        await attacker.start({ query: expensive(`${connection}.${index}`) }).ended;
        answered++;
      }),
    );
    for (let count = 0; count < 2; count++) await control.run(MeDocument);
    expect(answered).toBeLessThan(answers.length);
    await Promise.all(answers);
  });

  test("over HTTP", async () => {
    await using gateway = await startGatewayProcess({}, NPM_START_COMMAND);
    await using control = connect(gateway.wsUrl, bob.token);
    await control.run(MeDocument);
    const ask = (query: string): ReturnType<typeof postOperation> => postOperation(gateway.url, { query }, alice.token);
    // Opens the connections, which are kept.
    await Promise.all(range(200).map(() => ask("{ me { id } }")));
    let answered = 0;
    const answers = range(200).map(async (index) => {
      await ask(expensive(String(index)));
      answered++;
    });
    await Promise.race(answers);
    for (let count = 0; count < 2; count++) await control.run(MeDocument);
    expect(answered).toBeLessThan(answers.length);
    await Promise.all(answers);
  });
});

test("of a user whose allowance is used up no document is read, over any transport", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: "2/1m", ADMIN_PORT: "0" });
  await using socket = await openGraphQLSocket(gateway.wsUrl, alice.token);
  for (const index of range(3)) await socket.start({ query: "{ me { id } }" }, `allowed ${index}`).ended;
  for (const query of ["{ nothing }", "subscription { nothing }", "{", "mutation { nothing }"]) {
    expect(codesOf(await socket.start({ query }).ended)).toEqual(["RATE_LIMITED"]);
    expect(await postOperation(gateway.url, { query }, alice.token)).toMatchObject({
      status: 429,
      errors: [{ extensions: { code: "RATE_LIMITED" } }],
    });
  }
  const metrics = await scrape(gateway.adminUrl ?? "");
  const read = ["GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"].map((code) =>
    metrics.value("chat_gateway_operations_total", { code }),
  );
  expect(read.filter((count) => count !== undefined && count > 0)).toEqual([]);
  // Nobody else's is.
  expect((await postOperation(gateway.url, { query: "{ me { id } }" }, bob.token)).errors).toBeUndefined();
});
